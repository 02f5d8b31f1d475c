"""All benchmarks, one after the other."""

from benchmarks import command, store, training

command.main()
training.main()
store.main()
