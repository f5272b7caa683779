"""The errors of `data`, one tree. A message says what was given, what was expected and what to do."""


class LensVetError(Exception):
    """Any error whose message is meant for the person at the keyboard."""


class CampaignError(LensVetError):
    """The campaign folder is missing, incomplete or of another version."""


class UnreadableCutoutError(LensVetError):
    """A file holds no cutout that we can read; the reason goes to `rejected.csv`."""


class CatalogueError(LensVetError):
    """A catalogue cannot be read, or lacks a column that is needed."""


class StoreError(LensVetError):
    """The packed cutouts do not fit what was asked of them."""


class VoteError(LensVetError):
    """A vote is malformed or names what does not exist."""


class VoteConflictError(VoteError):
    """A vote contradicts what is stored: another vote under its id, or planes that were not shown."""


class ExportError(LensVetError):
    """A catalogue cannot be written as asked."""


class RegionError(LensVetError):
    """A file of regions cannot be read, or its regions do not fit the cutouts."""


class PeopleError(LensVetError):
    """A name, a role, a password or an invitation cannot be used."""


class InspectionError(LensVetError):
    """A group session cannot be opened or changed as asked."""


class FilterError(LensVetError):
    """A filter or an order is not understood, or speaks of what is not there."""


class BackupError(LensVetError):
    """A backup cannot be written or restored as asked, or is damaged."""
