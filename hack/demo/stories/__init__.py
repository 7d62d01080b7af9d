"""All stories by the folder of `examples/` that they tell, the main job first."""

from ..story import Story
from .add_ons import AddOns
from .ci import Ci
from .data_team import DataTeam
from .every_team import EveryTeam
from .federation import Federation
from .partner import Partner
from .productionapp import Productionapp
from .terraform_role import TerraformRole
from .two_accounts import TwoAccounts
from .two_limits import TwoLimits
from .web_identity import WebIdentity

STORIES: dict[str, type[Story]] = {
    story.example: story
    for story in (
        Productionapp,
        AddOns,
        Ci,
        DataTeam,
        EveryTeam,
        Federation,
        Partner,
        TerraformRole,
        TwoAccounts,
        TwoLimits,
        WebIdentity,
    )
}
