"""Patterns over plain words for the phrases that start, stop or change a drug.

Before matching, the letters of each drug's name become capitals and its spaces become underscores,
so that `_DRUG` matches every drug and no other word.
"""

import re
from typing import Final, Literal

from lumimd.rules.patterns import compiled, one_line
from lumimd.rules.regimens import DOSE
from lumimd.rules.speech_acts import ADVICE, DECISION, LEAD, ORDER, PERMISSION

Kind = Literal["started", "stopped", "changed"]

_DRUG: Final = r"(?P<drug>[A-Z][A-Z0-9_]*)"
_OTHER: Final = r"(?P<other>[A-Z][A-Z0-9_]*)"
_ONE: Final = one_line(r"""
    (?P<one>(?:that|this) (?:one|1|medication|medicine|drug|pill)|it|that|this|(?:the|your|
    that|this) dose)
""")
_FILL: Final = one_line(rf"""
    (?:(?:some|any|a|an|the|your|his|her|this|that|of|on|one|1|medication|medications|
    medicine|medicines|meds|antibiotic|antibiotics|anti inflammatory|anti inflammatories|
    antiinflammatory|antidepressant|inhaler|pill|steroid|oral|topical|new|different|another|
    other|little|bit|low|high|higher|lower|small|short|regular|strength|dose|dosage|course|
    prescription|for|like|such as|called|what we call|which is|and that is|it is|is|
    something|known as|to you|nonsteroidals?|nsaids?|that you are taking|are going to be|
    is going to be|generic|daily|back|also|just|as well|drug|taking|using|probably|
    beta blocker|ace inhibitor|muscle relaxer|proton pump inhibitor|diuretic|water pill|
    statin|antihistamine|ointment|cream|nasal spray|eye drops|tablet|tablets|
    over the counter|and|
    (?:for (?:the |your )?)?(?:pain|cholesterol|blood pressure)
    (?: (?:medication|medicine|pill|drug)s?)|for (?:the |your )?(?:pain|cholesterol|
    blood pressure)|{DOSE}) ){{0,9}}
""")
_ON: Final = r"(?:you |him |her |them )?(?:back |also )?(?:started |going )?(?:back )?on "
_START_ON: Final = rf"(?:start|restart|put|place|get|try|have|begin) {_ON}"
_START: Final = one_line(r"""
    (?:(?:start|restart|begin|initiate|add|add on|prescribe|try|send in|call in|
    give)(?: you| him| her)?|get you|write you(?: for)?) (?:started with |taking |in |with |
    on )?
""")
_STOP: Final = one_line(r"""
    (?:(?:stop|discontinue|quit|cease)(?: you)?(?: taking| using| with)?|
    (?:come|get|go)(?: you)? off(?: of)?|take you off(?: of)?)[ ]
""")
_RAISE: Final = one_line(r"""
    (?:increase|raise|bump|double|decrease|lower|reduce|cut|drop|go up|go down|titrate|
    adjust|change|up|move|push|switch)(?: up| down| back)?(?: on)?[ ]
""")
NEEDS_NEW_DOSE: Final = frozenset(
    ("adjust", "change", "up", "move", "push", "drop", "cut", "switch")
)
_SWITCH: Final = (
    r"(?:switch|change|transition|move|convert|swap|replace)(?: you)?(?: over)? (?:from )?"
)
_TO_OTHER: Final = r" (?:over )?(?P<to>to|with|for) "

_ALONE: Final = one_line(r"""
    (?= (?:and|for now|now|today|right away|because|since|as|so|completely|okay|please|
    altogether|immediately)\b|$)
""")
_STOP_LEAD: Final = rf"(?P<lead>{LEAD}|{PERMISSION}|{ORDER})"
_ANY_LEAD: Final = rf"(?P<lead>{LEAD}|{ORDER})"
_BEGIN: Final = r"(?:start|begin|prescribe)(?: you)?(?: taking| on)?"
_FROM_OR_TO: Final = r"(?= (?:up |down |back )?(?:from|to) )"
_TO_AMOUNT: Final = one_line(rf"""
    (?P<verb>(?:go|increase|bump|decrease|reduce|cut) )(?:up |down |back )?
    (?P<amount>(?:from {DOSE} )?to {DOSE}) (?:of|on)
""")

_SWITCHES: Final = "switch|change|transition|move|convert|swap|replace"
_PUTS_ON: Final = "start|put|place|get|try|have|begin|switch"
_STARTS: Final = "start|begin|initiate|add|prescribe|try|send in|call in|give|get you|write you"
_TAKES: Final = "take|use|taking"
_BEGINS: Final = "start|begin|prescribe"
_STOPS: Final = "stop|discontinue|quit|cease|off"
_RAISES: Final = one_line("""
    increase|raise|bump|double|decrease|lower|reduce|cut|drop|go|titrate|adjust|change|up|
    move|push|switch
""")
_PLANS: Final[tuple[tuple[Kind, str, str], ...]] = (
    ("changed", _SWITCHES, rf"{_ANY_LEAD}{_SWITCH}{_FILL}{_DRUG}{_TO_OTHER}{_FILL}{_OTHER}"),
    ("changed", _SWITCHES, rf"{_ANY_LEAD}{_SWITCH}{_ONE}{_TO_OTHER}{_FILL}{_OTHER}"),
    ("started", _PUTS_ON, rf"{_ANY_LEAD}(?:{_START_ON}|switch you (?:over )?to ){_FILL}{_DRUG}"),
    ("started", _STARTS, rf"(?P<lead>{DECISION}){_START}{_FILL}{_DRUG}"),
    ("started", _BEGINS, rf"(?P<lead>{ADVICE})(?:start|restart|begin)(?: taking)? {_FILL}{_DRUG}"),
    ("started", _BEGINS, rf"(?P<lead>{ORDER}){_BEGIN} {_FILL}{_DRUG}"),
    ("started", _TAKES, rf"(?P<lead>{ADVICE})(?P<take>take|use|be taking) {_FILL}{_DRUG}"),
    ("stopped", _STOPS, rf"{_STOP_LEAD}{_STOP}{_FILL}{_DRUG}"),
    ("stopped", _STOPS, rf"{_STOP_LEAD}{_STOP}{_ONE}{_ALONE}"),
    ("changed", _RAISES, rf"{_ANY_LEAD}(?P<verb>{_RAISE}){_FILL}{_DRUG}"),
    ("changed", _RAISES, rf"{_ANY_LEAD}(?P<verb>{_RAISE}){_ONE}{_FROM_OR_TO}"),
    ("changed", _RAISES, rf"{_ANY_LEAD}{_TO_AMOUNT} {_FILL}{_DRUG}"),
)
"""The kind of decision, the verbs of which a match needs one, and the pattern."""

PATTERNS: Final = tuple((kind, re.compile(pattern)) for kind, _, pattern in _PLANS)
NEEDS: Final = tuple(re.compile(verbs) for _, verbs, _ in _PLANS)
"""Prefilters, one per pattern. Most sentences have none of a pattern's verbs."""

AND_DRUG: Final = compiled(rf"""
    [ ](?P<joint>and|plus|along with|as well as|together with|with|
    or)(?: also)? {_FILL}{_DRUG}(?! (?:can|should|will|is going|stays?|stay|continue))
""")
WORTH_A_LOOK: Final = compiled(r"""
    \b(?:start|restart|put|place|get|try|begin|initiate|add|prescribe|order|send|call in|
    give|take|use|taking|stop|discontinue|quit|cease|come off|off|go|increase|raise|bump|
    double|decrease|lower|reduce|cut|drop|titrate|adjust|change|up|move|push|switch|swap|
    replace|transition|convert|have you)\b
""")
GOES_ON: Final = compiled(rf"""
    (?:(?:so|and|okay|now|then) )*(?:(?:i (?:want|would like) )?you (?:to|can|will|should|
    are going to)(?: be)? |(?:please )?|(?:we|i) (?:will|are going to|
    am going to) (?:give you|have you take) (?={DOSE})|)(?:tak(?:e|ing)|us(?:e|
    ing)) (?:(?:it|that|this|them)\b|(?={DOSE}))|(?:it|that|this|the dose) (?:is|will be|
    is going to be) (?:a )?(?={DOSE}|once|twice)|(?={DOSE})
""")
OTHER_HABIT: Final = compiled(r"""
    \b(?:smok\w+|cigarettes?|drink\w*|alcohol|beer|wine|vap\w+|coffee|caffeine|soda|running|
    exercis\w+|gym|work\w*|diet\w*|sugars?|salt|sodium|
    weight|calories|protein|fiber|water|a 1 ?c)\b
""")
REFUSED: Final = compiled(rf"""
    \b(?:not (?:going to |want to |have to |need to )?|hold off on )(?:start|starting|stop|
    stopping|change|changing|increase|increasing|prescribe|put you on|do|
    give you)? ?(?:you )?(?:on )?{_FILL}{_DRUG}
""")
NOT_THE_DRUG: Final = compiled(r"""
    [ ](?:levels?|tests?|deficiency|allergy|intolerance|resistance|panel|screen|toxicity|
    injection site|refills?|to (?:your|the) (?:\w+ )?(?:allerg\w+|list|chart|records?))\b
""")
"""Words after a drug name that exclude a prescription: 'a vitamin d level'."""
