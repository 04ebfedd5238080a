"""The server's sentences in the language of whoever reads them.

Records and errors keep their English sentence: kernels, the command line and servers share them,
and they lie in the store. Here, at the last moment, a sentence is recognised by the template that
it was made by, and said in another language, its values where they belong there. What no template
knows stays as it is.
"""

from .catalogue import Catalogue, catalogue
from .fields import sentences_of, worded
from .languages import LANGUAGES, chosen_language

__all__ = ["LANGUAGES", "Catalogue", "catalogue", "chosen_language", "sentences_of", "worded"]
