"""Who trains, who is held out, who picks: the loop, the settings, the selection rules, the grid."""
