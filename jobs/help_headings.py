"""Headings under which `--help` lists options of `score`, `tiles` and `plan`: what people look for, in this order."""

from cyclopts import Group

INPUT = Group.create_ordered("Input")
MODEL = Group.create_ordered("Model")
OUTPUT = Group.create_ordered("Output")
RECORDS = Group.create_ordered("Records: which are scored")
CONVENTIONS = Group.create_ordered("Conventions: what a score is")
SPEED = Group.create_ordered("Speed and error")
RUNNING = Group.create_ordered("Running: where and how")
COST = Group.create_ordered("Cost: hours and money")
