"""Patterns for phrases that order imaging or tests, arrange next steps, or give advice."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from lumimd.rules.patterns import compiled, one_line
from lumimd.rules.speech_acts import ADVICE, LEAD, ORDER

Topic = Literal["imaging", "next_steps", "education"]

_SOME: Final = r"(?:[\w']+ ){0,7}?"
_IMAGING: Final = one_line(r"""
    (?:x rays?|chest film|ultrasounds?|sonogram|mris?|m r i|(?:ct|cat)(?: scans?)?|mammograms?|
    echocardiograms?|echo|dexa(?: scan)?|bone density(?: scan| test)?|pet scan|bone scan|doppler|
    angiogram)
""")
_TEST: Final = one_line(r"""
    (?:lab|labs|lab work|blood ?work|blood tests?|blood count|lipid panel|cholesterol panel|
    a 1 ?c|hemoglobin a|cbc|metabolic panel|urinalysis|urine (?:test|sample|culture)|cultures?|
    strep test|ekg|ecg|electrocardiogram|stress test|biopsy|colonoscopy|endoscopy|spirometry|
    pulmonary function tests?|thyroid (?:test|panel|labs)|sleep study|allergy test\w*|
    physical therapy|holter monitor|covid test|nerve conduction|emg|pap smear)
""")
_ORDERS: Final = one_line(r"""
    (?:order|get|schedule|send (?:you )?(?:for|over for|out for)|send|do|repeat|set up|
    set you up|set you up with|obtain|arrange|refer you for|take|have|book|check|draw|run|
    perform|recheck|need|recommend|start)
""")
_TO_COME: Final = one_line(rf"""
    (?:(?:{LEAD}|{ORDER}(?=order|schedule|get|book)){_ORDERS}[ ]
    |\b(?:you|we) (?:will )?(?:also )?need )
""")

_IMAGING_ORDERED: Final = re.compile(rf"{_TO_COME}(?:you )?{_SOME}\b{_IMAGING}\b")
_IMAGING_SEEN: Final = compiled(rf"""
    \b(?:your|the|this) (?:[\w']+ ){{0,3}}?{_IMAGING} (?:[\w']+ ){{0,7}}?
    (?:shows?|showed|looks?|looked|is|was|were|are|came back|reveal\w*|confirm\w*|
    demonstrate\w*)\b
""")
_TEST_ORDERED: Final = re.compile(rf"{_TO_COME}(?:you )?{_SOME}\b{_TEST}\b")
_ALREADY_ORDERED: Final = re.compile(
    r"\b(?:i|we) (?:have )?(?:referred|ordered|scheduled|booked) (?:you|a|an|some|your)\b"
)
_REFERRED: Final = compiled(rf"""
    (?:{LEAD}|{ORDER})
    (?:refer you|put in (?:a|the) referral|place a referral|make a referral|
    send you (?:over )?to|get you (?:in|into|set up|scheduled)|set you up|
    schedule (?:you|a|an|your)|(?:have you )?see (?:a|an|the|our|your|dr|doctor) )\b
""")
_COMES_BACK: Final = compiled(rf"""
    (?:{LEAD}|{ORDER})(?:have you )?(?:come back|come in|return|follow up)
    (?= (?:in|on|to (?:see|get|the|have|our)|for|next|with|after|when|at|sooner|tomorrow|
    and see|here)\b)
""")
_SEEN_AGAIN: Final = compiled(rf"""
    (?:{LEAD}|{ORDER}|\b(?:i|we) will |^)
    see you (?:back |again |here |then |in clinic |in the office )*
    (?:in (?:about )?(?:\d+|a|one|the (?:office|clinic))|next (?:week|month|year|visit)|
    on \w+day|after|at your)\b
""")
_WARNING: Final = compiled(rf"""
    (?:{LEAD}|{ORDER}|\byou can |\bjust |\b(?=call (?:us|me|911) ))
    (?:give (?:us|me) a call|call (?:us|me|the office|911|your|an ambulance)|
    let (?:us|me) know(?= if (?:it|your|the|things|symptoms|that|there)\b)|come (?:back|in)|
    go to (?:the )?(?:er|emergency\w*|hospital|urgent care)|contact|reach out|seek|return)[ ]
    (?:(?!call )[\w']+ ){{0,10}}?(?:if|when|should you|for any)\b
""")
_RESTRAINT: Final = compiled(rf"""
    (?:{ADVICE}|{ORDER}|\bmake sure (?:that )?(?:you |to )?)
    (?:avoid|stay away from|be careful|watch (?:out )?for|look out for|limit|
    do not (?:eat|drink|take|use|drive|lift|smoke|stop|skip|forget|miss|go|sit|stand|put|
    walk|run|exercise|mix|wait)|cut (?:back|down)|refrain|stay off|keep an eye)\b
""")
# Only a sentence that names its subject is clear when quoted alone.
_EXPLANATION: Final = compiled(r"""
    ^(?!(?:it|that|this|they|he|she|these|those|so|and|but|i|we|you|first|second|third|please|
    yes|no|okay|well|now)\b)(?:[\w']+ ){1,6}?
    (?:happens? when|(?:can|may|might|could|will) (?:cause|make you|raise|lower|irritate|upset|
    lead to)|(?:is|are) caused by|helps? (?:to )?(?:prevent|reduce|lower|protect|relieve)|
    works? by|(?:irritates?|raises?|lowers?) your|
    your body (?:has trouble|can not|does not|makes?|needs?))\b
""")
_CAUTION: Final = compiled(r"""
    \b(?:it is (?:very |really |so )?important (?:to|that)|
    the (?:most common |main )?side effects?|
    (?:this|that) (?:medication|medicine|drug|pill|inhaler) (?:can|may|might|will) )
""")

NEEDS: Final[Mapping[re.Pattern[str], re.Pattern[str]]] = {
    _IMAGING_ORDERED: re.compile(_IMAGING),
    _IMAGING_SEEN: re.compile(_IMAGING),
    _TEST_ORDERED: re.compile(_TEST),
    _REFERRED: re.compile(r"refer|send you|get you|set you|schedule|see "),
    _COMES_BACK: re.compile(r"come|return|follow up"),
    _SEEN_AGAIN: re.compile(r"see you"),
    _WARNING: re.compile(r"\b(?:if|when|should you|for any)\b"),
    _RESTRAINT: re.compile(
        r"avoid|stay|careful|watch|look out|limit|do not|cut (?:back|down)|refrain|keep an eye"
    ),
}
"""Prefilters: every match contains one of these words.

Most sentences contain none, and the prefilter takes a tenth of the pattern's time.
"""

PLANNED: Final[tuple[tuple[Topic, re.Pattern[str]], ...]] = (
    ("imaging", _IMAGING_ORDERED),
    ("next_steps", _TEST_ORDERED),
    ("next_steps", _REFERRED),
    ("next_steps", _COMES_BACK),
    ("next_steps", _SEEN_AGAIN),
    ("next_steps", _ALREADY_ORDERED),
)
"""Patterns of plans; a preceding condition, doubt or question undoes a plan."""

TOLD: Final[tuple[tuple[Topic, re.Pattern[str]], ...]] = (
    ("imaging", _IMAGING_SEEN),
    ("education", _WARNING),
    ("education", _RESTRAINT),
    ("education", _EXPLANATION),
    ("education", _CAUTION),
)
"""Patterns of statements to the patient."""

WORTH_A_LOOK: Final = compiled(rf"""
    \b(?:{_IMAGING}|{_TEST}|refer\w*|referral|see|send|get|set|schedul\w+|come|return|follow|
    book\w*|ordered|call|know|go|contact|reach|seek|avoid|away|not|careful|watch|look|limit|
    cut|refrain|off|eye|happens?|cause[sd]?|make|helps?|works?|important|effects?|raises?|
    lowers?|irritates?|medication|medicine|drug|pill|inhaler|lead|body)\b
""")

IDLE: Final = compiled(r"""
    \b(?:nice|good|great|glad|happy) (?:to )?(?:see|have) you\b|
    any (?:other |more )?questions?|\b(?:take|have) a (?:look|listen|seat)|
    let (?:us|me) (?:just )?look|look at your|examine|physical exam|listen to|
    back in a (?:minute|moment|second|few)|
    not (?:see|feel|hear|appreciate|think|know|worry|want|need|have|believe|mean|get|sure)\b
""")
"""Patterns of courtesies, examinations and denials, which use the same verbs as plans."""
