"""Find the conditions that the clinician says this patient has."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lumimd.domain.transcript import Role
from lumimd.rules.patterns import compiled, one_line
from lumimd.rules.sentences import Sentence, without_hesitation
from lumimd.rules.speech_acts import asks
from lumimd.rules.words import word_list, words_of

_KIND: Final = one_line(r"""
    (?:acute|chronic|mild|moderate|severe|recurrent|seasonal|viral|bacterial|allergic|
    uncontrolled|early|stage \d|type (?:1|2|one|two)|left|right|bilateral|lumbar|cervical|
    knee|hip|ankle|lower back|essential|persistent|diabetic|low grade)
""")
_BETWEEN: Final = one_line(rf"""
    (?:(?:a|an|the|some|case|bout|form|type|kind|sort|touch|little|bit|of|pretty|classic|
    just|really|what we call|what is called|something called|called|also|probably|likely|
    most likely|called|your|bad|exacerbation|flare up|flare|episode|diagnosis|is|new|
    newfound|diagnosed|this|that|quite|significant|type to|type too|
    {_KIND}(?= (?:case|bout|form|type|kind|episode|exacerbation|flare|touch))) ){{0,7}}
""")
_CONDITION: Final = rf"(?P<kind>(?:{_KIND} )*)(?P<condition>[A-Z][A-Z0-9_']*)"
_ASSERTED: Final = compiled(rf"""
    \b(?:you (?:do |really |also |probably |most likely )*(?:have|have got|are having|
    have developed|are suffering from|suffer from)
    |(?:this|it|that|which) (?:really |just |all |most )*(?:looks?|sounds?|seems?|
    appears?)(?: to me)?(?: very much| a lot)?(?: (?:like|to be|
    that))*(?: you (?:do )?(?:have|have got|are having))?(?: (?:this is|it is|a case of))?
    |(?:this|it|that|what you have|what we have|what you have got) (?:really )?(?:is|
    would be|was)(?: (?:all|just|more|probably|most likely|likely|definitely|clearly))*
    |consistent with|indicative of|indicates?|suggests?|suggestive of|confirms?|points? to|
    in keeping with
    |(?:diagnosis|impression) (?:is|of|here is|for you is)|diagnosing you with|comes? from|
    caused by|due to|because of|shows?(?: that you have)?
    |(?:you are|you have been) dealing with|(?:first|second|third|next|other|primary|main|
    last|fourth|1st|2nd|3rd) (?:problem|issue|diagnosis)(?: (?:is|of|for|here))*
    |(?:for|with|about|regarding|of|as for|concerning|terms of|treat|treating|manage|
    control|help) your) {_BETWEEN}{_CONDITION}
""")
_YOURS: Final = re.compile(
    rf"\byour {_CONDITION} (?:is|has been|seems|looks|remains|appears|symptoms are)\b"
)
_PRESSURE: Final = compiled(r"""
    \byour blood pressure (?:today |reading )*(?:is|has been|was|remains|seems|runs|
    looks)(?: running)?(?: (?:still|too|quite|really|very|pretty|also))* (?P<level>high|
    elevated)\b
""")
_AND_ANOTHER: Final = re.compile(
    rf" (?:and|as well as|with) (?:also |some |a |an |your )*{_CONDITION}"
)
_DENIED_BEFORE: Final = compiled(r"""
    \b(?:rule out|ruled out|unlikely|rather than|instead of|risk|prevent\w*|could|may|might|
    maybe|possibl\w+|perhaps|worr\w+|concern\w*|afraid|suspicious|whether|if|unless|(?:test|
    check|screen|look|tested|checked|screened|looking|swab|vaccine|vaccinated|
    shot) (?:you )?for|versus|mother|father|mom|mum|dad|parents?|sister|brother|aunt|uncle|
    grand\w+|son|daughter|wife|husband|cousin|family|they|he|she|people|patients|someone|
    somebody|history|used to|had|ago|free of|negative for|other than|(?:do|did|are|have|is|
    does|has|was|were) (?:you|it|this|that|your|they|he|she|there))\b
""")
_NEGATED: Final = re.compile(r"\b(?:not|no|never|without|nor)\b")
_DENIED_AFTER: Final = compiled(r"""
    [ ](?:medications?|medicine|medicines|meds?|pills?|tests?|screening|vaccine|shot|drugs|
    specialist|clinic|doctor|is (?:ruled out|unlikely|gone|resolved|negative)|
    has (?:resolved|gone)|in (?:your|the) (?:family|mother|father|mom|dad)|or )
""")
_NEAR_WORDS: Final = 9
_NEGATED_WORDS: Final = 5
"""The number of words that a negation covers, in speech that may have no full stops."""

_UNSURE_TERMS: Final = frozenset(("stroke", "heart attack", "obesity", "menopause"))
"""Conditions that are mostly named as a danger or a past event; a bare 'this is' is too weak."""


@dataclass(frozen=True)
class Finding:
    """A condition as spoken, its usual name, and the ids of the utterances that name it."""

    condition: str
    name: str
    evidence: tuple[str, ...]


def findings_in(sentences: Sequence[Sentence]) -> list[Finding]:
    """Return the asserted conditions, each once, in the order of their first mention."""
    found: dict[str, Finding] = {}
    for sentence in sentences:
        if sentence.role is Role.PATIENT or asks(sentence):
            continue
        for finding in _findings(sentence):
            known = found.get(finding.condition)
            if known:
                evidence = tuple(dict.fromkeys(known.evidence + finding.evidence))
                # The more precise name wins: 'type 2 diabetes', not 'diabetes'.
                longer = max(known, finding, key=lambda each: len(each.name))
                finding = Finding(finding.condition, longer.name, evidence)
            found[finding.condition] = finding
    return list(found.values())


def _findings(sentence: Sentence) -> Iterator[Finding]:
    for match in _PRESSURE.finditer(sentence.plain):
        if not _is_denied(sentence.plain, match.start(), match.end()):
            level = "high" if match["level"] == "high" else "elevated"
            evidence = sentence.evidence(match.start(), match.end())
            yield Finding("high blood pressure", f"{level} blood pressure", evidence)
    marked, conditions = _marked(sentence.plain)
    if not conditions:
        return
    for pattern in (_ASSERTED, _YOURS):
        for match in pattern.finditer(marked):
            start = match.start()
            named: re.Match[str] | None = match
            while named is not None:
                if _is_denied(sentence.plain, start, named.end("condition")):
                    break
                span = named.start("kind"), named.end("condition")
                condition = conditions[named.start("condition")]
                if condition in _UNSURE_TERMS and not match[0].startswith("you "):
                    break
                name = (
                    without_hesitation(sentence.said(*span)).replace(" , ", " ").replace(", ", " ")
                )
                yield Finding(condition, name, sentence.evidence(start, span[1]))
                named = _AND_ANOTHER.match(marked, span[1])


def _is_denied(plain: str, start: int, end: int) -> bool:
    before = plain[:start].split()
    return bool(
        _NEGATED.search(" ".join(before[-_NEGATED_WORDS:]))
        or _DENIED_BEFORE.search(" ".join(before[-_NEAR_WORDS:]))
        or _DENIED_AFTER.match(plain, end)
    )


def _marked(plain: str) -> tuple[str, dict[int, str]]:
    """Return the text with conditions in capitals, and the condition at each offset."""
    words = plain.split(" ")
    known, at, start = _lexicon(), 0, 0
    conditions: dict[int, str] = {}
    while at < len(words):
        used = 1
        for name, condition in known.get(words[at], ()):
            if tuple(words[at : at + len(name)]) == name:
                used = len(name)
                conditions[start] = condition
                end = start + len(" ".join(name))
                marked = plain[start:end].upper().replace(" ", "_")
                plain = plain[:start] + marked + plain[end:]
                break
        start += sum(map(len, words[at : at + used])) + used
        at += used
    return plain, conditions


@lru_cache(maxsize=1)
def _lexicon() -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """Return the names of conditions by their first word, the longest name first."""
    lexicon: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for condition, others in word_list("conditions.txt"):
        for name in (condition, *others):
            plain = tuple(" ".join(word.plain for word in words_of(0, name)).split(" "))
            lexicon.setdefault(plain[0], []).append((plain, condition))
    for names in lexicon.values():
        names.sort(key=lambda named: -len(named[0]))
    return lexicon
