"""What a person sees: results on stdout, everything else on stderr. The only package that imports rich.

Rules: complete without colour; at most 80 columns on a terminal, uncut in a pipe; lower case, no final stop;
an error is one line, and `hint:` on the next says what to type.
"""
