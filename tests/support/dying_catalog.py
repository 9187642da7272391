"""A catalog whose publisher dies at one of its commits."""


class Killed(BaseException):
    """Nothing catches it, as nothing catches the end of a process."""


class DyingCatalog:
    """A catalog at one of whose commits the process dies, before it or behind it."""

    def __init__(self, catalog, commits, *, behind):
        self.__dict__.update(_catalog=catalog, _left=commits, _behind=behind)
        self._commit = catalog.commit_table
        catalog.commit_table = self.commit_table

    def __getattr__(self, name):
        return getattr(self._catalog, name)

    def __setattr__(self, name, value):
        self.__dict__[name] = value

    def commit_table(self, *given):
        self._left -= 1
        if self._left == 0 and not self._behind:
            raise Killed
        answer = self._commit(*given)
        if self._left == 0:
            raise Killed
        return answer
