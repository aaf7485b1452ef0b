"""Memory and streams of an accelerator, and whether there is one."""
