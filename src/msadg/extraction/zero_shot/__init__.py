"""Multimodal language models asked without training: pictures and transcript in a prompt, class words weighed."""
