"""Find the end of a plan in speech with few full stops, and the plan's due time."""

from typing import Final

from lumimd.rules.patterns import compiled, one_line
from lumimd.rules.sentences import Sentence, as_sentence
from lumimd.rules.words import SENTENCE_ENDS

RUN_ON_WORDS: Final = 24
"""A longer sentence counts as speech without full stops: a plan ends before the next thought."""

MAX_CLAUSE_WORDS: Final = 32

_TAG: Final = compiled(r"""
    [ ](?:okay|all right|right|does that (?:sound|make)|do you|any questions|sound good|
    sounds good|yeah)\b.*$
""")
_NEXT_THOUGHT: Final = compiled(r"""
    [ ](?:and |but |so |because |then )?(?:i|we) (?:am|are|will|want|would|do|did|think|know|
    just|also|might|can|have)\b
    | (?:and then|and so|so that is|so|but|now|okay|all right|also|and that is|and it is|
    that is going|this is going|and you (?:can|should|will|are)|you (?:can|should|will|are)|
    do you|does that|have you|are you|for your (?:first|second|third|next|last|other)|
    let us|please|(?:it|this|that) (?:is|will|can|helps?|irritates?|raises?|causes?|
    lowers?)|call (?:us|me)|and also|if that|hopefully|in the meantime)\b
""")
_NUMBER: Final = one_line(r"""
    (?:\d+(?: to \d+| or \d+)?|a|an|one|a couple(?: of)?|a few|
    the next(?: \d+| few| couple)?|about \d+|another \d+)
""")
_DUE: Final = compiled(rf"""
    \b(?:(?:with)?in (?:about |around )?{_NUMBER} (?:more )?(?:days?|weeks?|months?|years?|
    hours?)(?: time)?
    |(?:by |on |before |next |this |until )(?:next )?(?:monday|tuesday|wednesday|thursday|
    friday|saturday|sunday)
    |(?:by |before )?(?:tomorrow|tonight|today|this (?:week|afternoon|evening|month)|
    next (?:week|month|year))(?: morning| afternoon)?
    |before (?:your|the|our) (?:next |follow up )?(?:visit|appointment|follow up)
    |(?:by|before|at) the end of the (?:week|day|month)|(?:right|straight) away|
    as soon as (?:you can|possible)|on your way out)\b
""")


# Two sentences with only a comma, or no mark, between them: 'come back in May, call us if ...'.
_SPLICED: Final = compiled(r"""
    (?<! please)(?<! and)(?<! to)(?<! or)(?<! you)(?<! should)(?<! can)(?<! just)(?<! then)
    (?<! so)(?<! that)(?<! if)(?<! when)(?<! sure)(?<! until)(?<! because)(?<! where)(?<! how)
    (?: call (?:us|me)| it (?:raises?|irritates?|can|is|will|helps?|causes?))\b
""")
_LOOSE_END: Final = compiled(r"""
    (?: (?:since|because|and|so|to|of|that|with|or|the|a|an|for|but|then|if|as|your|in|it|
    is|this|what type))+$
""")


def clause_end(sentence: Sentence, start: int, opening_words: int = 6) -> int:
    """Return the character at which the clause that begins at `start` ends.

    In a short sentence the clause ends at the mark, without a final 'okay?'. In a longer sentence
    it ends before the next thought, but not within the first `opening_words`, which hold the
    clause's own 'I want you to'.
    """
    rest = sentence.plain[start:]
    opening = len(" ".join(rest.split(" ")[:opening_words]))
    if spliced := _SPLICED.search(rest, opening):
        rest = rest[: spliced.start()]
    if not sentence.mark or len(sentence.words) > RUN_ON_WORDS:
        match = _NEXT_THOUGHT.search(rest, opening)
        if match:
            rest = rest[: match.start()]
    else:
        match = _TAG.search(rest)
        if match and match.start() > len(rest) // 2:
            rest = rest[: match.start()]
    words = rest.split(" ")
    if match or len(words) > MAX_CLAUSE_WORDS:
        rest = _LOOSE_END.sub("", " ".join(words[:MAX_CLAUSE_WORDS]))
    return start + len(rest)


def due_in(sentence: Sentence, start: int, end: int) -> str | None:
    """Return the due time in the words of the clause; None if the clause has none."""
    match = _DUE.search(sentence.plain, start, end)
    if match is None:
        return None
    said = as_sentence(sentence.said(match.start(), match.end())).rstrip("".join(SENTENCE_ENDS))
    return said[:1].lower() + said[1:]
