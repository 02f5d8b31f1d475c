"""What is seen: from faces to steps of visual features, ours or published ones."""
