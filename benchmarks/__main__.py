"""All benchmarks, one after the other."""

from benchmarks import analysis, baselines, command, decode, extraction, faces, fusion, store, training, video

command.main()
training.main()
fusion.main()
baselines.main()
store.main()
analysis.main()
decode.main()
faces.main()
video.main([])
extraction.main([])
