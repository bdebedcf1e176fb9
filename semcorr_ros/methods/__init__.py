"""Ways of finding a class in an image, one room each."""
