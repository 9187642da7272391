"""Published weights of any format as parameters of our models, bit for bit, or a message that says what is wrong.

Knows file formats, what each calls a parameter, and the checks before a model takes it. Does not know the models: what
is particular to one stands in its `ModelSpec`.
"""
