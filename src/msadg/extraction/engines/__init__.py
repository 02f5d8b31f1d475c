"""Who works on the clips: this process, some processes of this machine, or a Ray cluster."""
