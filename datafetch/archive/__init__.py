"""An archive in, its members out where the layout places them, safely."""
