"""Every option that more than one command takes, declared once: a module for each panel of the help.

Options that belong together are the fields of a dataclass, which also says what they set; `grouped` spreads them into
a command that takes the dataclass. Options that stand alone are annotations.
"""
