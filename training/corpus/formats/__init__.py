"""The file formats that translations come in. Every file is taken as untrusted: sizes bounded, nothing executed."""
