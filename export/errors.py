"""What can be wrong with what export is given."""


class ImportedModelError(Exception):
    """A model of others cannot be imported; the message says why and what to do."""
