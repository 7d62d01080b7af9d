"""All stories by the folder of `examples/` that they tell, the main job first."""

from ..story import Story
from .add_ons import AddOns
from .data_team import DataTeam
from .every_team import EveryTeam
from .productionapp import Productionapp
from .two_accounts import TwoAccounts
from .two_limits import TwoLimits
from .web_identity import WebIdentity

STORIES: dict[str, type[Story]] = {
    story.example: story for story in (Productionapp, AddOns, DataTeam, EveryTeam, TwoAccounts, TwoLimits, WebIdentity)
}
