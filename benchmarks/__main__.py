"""All benchmarks, one after the other."""

from benchmarks import command, decode, extraction, faces, fusion, store, training, video

command.main()
training.main()
fusion.main()
store.main()
decode.main()
faces.main()
video.main([])
extraction.main([])
