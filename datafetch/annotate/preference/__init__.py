"""Records of what people prefer, made from raw tables: windows over sequences, topics, splits; pure.

raw       rows of the raw tables, each that is left out counted by its reason
draw      which users of a table too large to hold, and the items they touch
words     captions and styles that a person may bring
pictures  which picture an item is
windows   three items of history and the one that followed
topics    the same from folders of pictures, by lot
splits    train, val and test
older     the records of the scripts before
written   splits as documents, with what is to be told of them
making    all of it together, under the names that a recipe uses
"""
