"""Speech acts: phrases with which a clinician decides or advises, and phrases that undo a plan.

All patterns read plain words (`words.py`). A plan counts only if one of these phrases stands
directly before its verb. 'We could start', 'did you stop' and 'they started me on' contain none of
these phrases.
"""

import re
from typing import Final

from lumimd.domain.transcript import Role
from lumimd.rules.patterns import compiled, one_line
from lumimd.rules.sentences import Sentence

_OFTEN: Final = r"(?:(?:just|also|actually|really|probably|definitely|simply|then|now|do) )*"

_DECIDED: Final = one_line(rf"""
    (?:i|we) (?:am|are) {_OFTEN}going to (?:be )?|(?:i|we) will {_OFTEN}
    |(?:i|we) {_OFTEN}(?:want|need|would {_OFTEN}like|like) to |let us {_OFTEN}|
    let me {_OFTEN}
    |(?:^|(?<=\bso )|(?<=\band )|(?<=\bokay ))going to {_OFTEN}
    |(?:i|we) should {_OFTEN}|(?:i|we) (?:am|are) (?:quite |very )?happy to |(?:i|
    we) can definitely[ ]
    |i (?:would )?(?:recommend|suggest|advise)(?: that)? (?:we |you )?
""")
_ADVISED: Final = one_line(rf"""
    i {_OFTEN}(?:want|need|would {_OFTEN}(?:like|want)|like|am asking) you to {_OFTEN}
    |you (?:should|must|will|have to|need to|are going to|will want to|
    will need to) {_OFTEN}
    |have you |having you[ ]
""")
_ALONG: Final = one_line(r"""
    (?:go ahead (?:and )?|do (?:for (?:that|you|this|\w+ \w+) )?(?:is )?|
    recommend (?:that )?(?:we |you )?|try to |have you |going to |be |please |also |we can |
    like to |want to |start by |see if we can )*
""")

LEAD: Final = rf"(?:\b(?:{_DECIDED}|{_ADVISED}){_ALONG})"
"""Phrases with which the speaker decides or advises: 'I am going to', 'I would like you to'."""

DECISION: Final = rf"(?:\b(?:{_DECIDED}){_ALONG})"
"""Phrases after which the clinician will act: 'I am going to', 'let us'."""

ADVICE: Final = rf"(?:\b(?:{_ADVISED}){_ALONG})"
"""Phrases after which the patient should act: 'I want you to', 'you need to'."""

PERMISSION: Final = rf"(?:\byou (?:can|may) {_OFTEN}{_ALONG})"
"""Phrases that permit: 'you can' suffices to stop a drug, but not to start one."""

ORDER: Final = one_line(r"""
    (?:(?:^|(?<=\bokay )|(?<=\bso )|(?<=\band )|(?<=\bthen )|(?<=\bbut )|(?<=\bnow )|
    (?<=\bfirst )|(?<=\bsecond )|(?<=\bthird )|(?<=\balso )|(?<=\bright )|(?<=\byes )|
    (?=\bplease )|(?<=\bgood )|(?<=\bfinally )|(?<=\bno ))(?:please |just |also |
    go ahead and |then )*)
""")
"""The position of an imperative: at the start of a clause."""

_PLANNING: Final = re.compile(rf"{LEAD}|{PERMISSION}|\bplease\b")
_PLANNING_WORDS: Final = 14

_POLITE: Final = compiled(r"""
    \bif (?:you are|that is|it is|this is) (?:okay|all right|fine|agreeable|
    good)(?: with (?:you|that|it|this))?\b
    |\bif you (?:do not mind|agree)\b
""")
_CONDITION: Final = compiled(r"""
    \b(?:if|unless|in case|whether|maybe|might|possibly|perhaps|could|suppose|depending|
    until|eventually|someday|down the road|at some point|in the future|next time|(?:once|
    after|before|when) (?:you|we|i|it|that|the|your))\b
""")
"""Words that make a plan conditional; they also cover the words after 'so' and 'then'."""

# Words that undo a plan: other times, other people's words, refusals, questions.
_REPORTED: Final = compiled(r"""
    \b(?:consider\w*|(?:talk|think|thought|thinking|talked|discuss\w*) about|last (?:time|
    year|visit|week|month|fall|spring|summer|winter)|used to|previously|ago|told|said|
    people|patients|folks|others|
    (?:they|he|she|doctor|nurse|pharmacist|cardiologist|surgeon|daughter|son|husband|
    wife) (?:say|says|wants?|wanted|would|will|told|might|asked|thinks?|recommended)|not|
    never|no need|without|instead of|rather than|hold off|refuse\w*|against|(?:do|did|are|
    were|have|should|can|could|would|will|is|was) (?:you|we|i|they|he|she|it)|what about|
    how about|why did)\b
""")
_CLAUSE: Final = re.compile(r".*\b(?:so|but|okay|all right|anyway)\b")
_TAGS: Final = compiled(r"""
    (?: (?:okay|all right|right|yeah|sound good|sounds good|does that sound (?:good|okay|
    all right)|is that (?:okay|all right|fine)|does that make sense|any questions|
    how does that sound))+$
""")
_TAIL_UNDOES: Final = compiled(r"""
    [ ](?:(?:only|but only|and only) )?
    (?:if|unless|depending|until|versus|in case|as soon as|or (?:we|i|maybe|not)|
    should (?:your|it|you|the)|once (?:you|your|we|the|it)|when (?:your|we|the|it)|
    after (?:your|we|the|surgery)|before (?:your|the|any) (?:surgery|procedure|scan|operation|
    test)|the (?:day|night|morning) (?:before|of)|(?:\d+|a|a few|one) (?:days?|weeks?|hours?)
    (?: before)|for (?:the next )?(?:\d+|a few) (?:hours|days)(?: before| after)|
    but (?:your insurance|it is|i can not|we can not|they|you do not))\b
""")

_INVERTED: Final = compiled(r"""
    (?:(?:so|and|okay|well|now|all right|but|then) )*(?:(?:do|did|does|are|were|is|was|have|
    has|had|should|can|could|would|will) (?:you|we|i|they|he|she|it|that|this|your|there|
    the)|what(?! (?:i|we) )|how|when|where|why|who|which|any)\b
""")

CONDITION_WORDS: Final = 10
REPORTED_WORDS: Final = 6
"""The number of words before a plan in which a word can undo it, in unpunctuated speech."""


def is_decided(sentence: Sentence, start: int, end: int) -> bool:
    """Return whether no word beside the plan at `start`..`end` undoes or conditions it."""
    before = _POLITE.sub("", sentence.plain[:start]).split()
    if _CONDITION.search(" ".join(before[-CONDITION_WORDS:])):
        return False
    if _REPORTED.search(_CLAUSE.sub("", " ".join(before[-REPORTED_WORDS:]))):
        return False
    return not _TAIL_UNDOES.match(_POLITE.sub("", sentence.plain[end : end + 80]))


def is_order(sentence: Sentence, start: int) -> bool:
    """Return whether the words at `start` give an order.

    After 'and' the verb may continue any sentence: 'people get dizzy and stop'. It counts only if
    the words before 'and' decide or advise.
    """
    before = sentence.plain[:start].split()
    if before[-1:] != ["and"] or len(before) == 1:
        return True
    return _PLANNING.search(" ".join(before[-_PLANNING_WORDS:])) is not None


def is_spoken_by_clinician(sentence: Sentence, addressed: str) -> bool:
    """Return whether a clinician says this.

    A speaker without a role counts as a clinician if the sentence addresses a 'you'.

    Words labelled as the patient's never count, even though speaker labels may be swapped.
    """
    if sentence.role is Role.UNKNOWN:
        return re.search(r"\b(?:you|your|please|let us)\b", addressed) is not None
    return sentence.role is Role.CLINICIAN


def asks(sentence: Sentence) -> bool:
    """Return whether the sentence is a real question, not a statement with 'okay?' after it."""
    if not sentence.is_question:
        return bool(_INVERTED.match(sentence.plain))
    return _TAGS.search(sentence.plain) is None
