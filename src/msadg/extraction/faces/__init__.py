"""Faces in frames: finding them, following them, choosing who speaks, bringing a face into one pose."""
