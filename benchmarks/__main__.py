"""All benchmarks, one after the other."""

from benchmarks import command, decode, extraction, faces, store, training, video

command.main()
training.main()
store.main()
decode.main()
faces.main()
video.main([])
extraction.main([])
