"""Find the patient's tasks after the visit: the clinician's imperatives."""

import re
from collections.abc import Iterator
from typing import Final

from lumimd.domain.clinical import ActionItem
from lumimd.rules.clauses import clause_end, due_in
from lumimd.rules.discourse import Discourse
from lumimd.rules.patterns import compiled, one_line
from lumimd.rules.sentences import as_sentence
from lumimd.rules.speech_acts import ADVICE, ORDER, asks, is_decided, is_spoken_by_clinician

_DOING: Final = one_line(r"""
    (?P<act>(?:not |do not )?(?:take(?! (?:a (?:deep|big|look|seat|breath|peek|listen|few|
    moment|minute|second)|care|off|you|me|it easy|another|some deep|that deep|out)\b)|
    stop(?! (?:me|you|it there|right there)\b)|start(?! (?:with|by|over|at|you)\b)|
    continue(?! (?:you|to \w+$)\b)|keep(?! (?:going|in mind|you|it there|on)\b)|
    check(?! (?:out|in with me|you|some|everything|things|that)\b)|measure|monitor|record|
    write|log|track|weigh|drink|eat|avoid|limit|refrain|cut|reduce|increase|rest|ice|
    elevate|apply|wear|use(?! my\b)|watch|schedule|book|make (?:an|your|the|a follow)|
    make sure|pick up|bring|come back(?! (?:up|to normal)\b)|return|follow up(?! and take)|
    stay|get(?= (?:a|an|your|the|some|plenty|labs?|blood|that|those|this|more|x|it)\b)|
    walk(?! (?:me|for me|over)\b)|exercise|finish|complete|see (?:a|an|the|our|your|dr|
    doctor)|go to(?! (?:normal|sleep for)\b)|go see|stop by|remember to|fast|try to|
    do (?:your|the|those|these|some)|call (?:the|your|to)))\b
""")
_PREDICTED: Final = re.compile(r"^you (?:will|are going to) (?!need|want|have)")
_STILL_ORDERS: Final = re.compile(r"^(?:take|use|apply|wear|stop|schedule|continue|finish)\b")
_ACTION: Final = re.compile(
    rf"(?:{ADVICE}|{ORDER}|\bbe sure to |\bmake sure (?:that )?you )(?:and |to )*{_DOING}"
)
_EXAMINED: Final = compiled(r"""
    \b(?:my (?:hand|finger|light|voice|chart|notes?)|for me|deep breath|breathe|
    on the table|this way|your tongue|your mouth|open your|against|right here|like this|
    and tell me|let me know|a seat|your shirt|your shoe|questions?|as (?:hard|far) as|
    going going|the exam|my exam|pain level|that for me|in and out)\b
""")
_ALSO_A_NOUN: Final = compiled(r"""
    ^(?:increase|reduce|cut|ice|rest|record|log|track|fast|walk|exercise|watch|use|bring|
    return|monitor|measure|limit|get|see|stay|finish)\b
""")
"""Verbs that count only after 'I want you to' or 'please', or at the start of a sentence."""

_CONDITIONAL: Final = re.compile(r"\b(?:if|unless|in case)\b(?! (?:you can|possible|needed))")
_COMMANDED: Final = re.compile(r"\b(?:you|please|sure)\b")
_REFERS_BACK: Final = re.compile(
    r"\b(?P<verb>take|taking|use|using|apply) (?P<it>it|that|this|them|those)(?= |$)"
    r"|^\w+ (?P<other>it|that|this|them|those)(?= |$)"
)
_OURS: Final = re.compile(r"\b(?:i|we|us|me|my)\b")
_OUR_WORDS: Final = 6
_FEWEST_WORDS: Final = 3


def actions_in(visit: Discourse) -> list[ActionItem]:
    """Return the clinician's instructions to the patient, in order, each text once."""
    found: dict[str, ActionItem] = {}
    for at, sentence in enumerate(visit.sentences):
        if asks(sentence):
            continue
        for action in _actions(visit, at):
            found.setdefault(action.text.lower(), action)
    return list(found.values())


def _actions(visit: Discourse, at: int) -> Iterator[ActionItem]:
    sentence, taken = visit.sentences[at], 0
    for match in _ACTION.finditer(sentence.plain):
        start, act = match.start(), match.start("act")
        if start < taken:
            continue
        end = clause_end(sentence, act, opening_words=2)
        words = sentence.plain[act:end]
        if not is_spoken_by_clinician(sentence, match[0]) or not is_decided(sentence, start, end):
            continue
        if _PREDICTED.match(match[0]) and not _STILL_ORDERS.match(words):
            continue
        is_bare = start > 0 and not _COMMANDED.search(match[0][: act - start])
        if is_bare and (_ALSO_A_NOUN.match(words) or _is_our_own(sentence.plain[:start])):
            continue
        if _EXAMINED.search(words) or _CONDITIONAL.search(words):
            continue
        if len(words.split()) < _FEWEST_WORDS:
            continue
        text, evidence = sentence.said(act, end), sentence.evidence(start, end)
        if pronoun := _REFERS_BACK.search(words):
            # 'Take it with food' is not understandable without the name of the drug.
            if not pronoun["verb"]:
                continue
            drug = visit.antecedent(at, act + pronoun.start("it"))
            if drug is None:
                continue
            before = sentence.said(act, act + pronoun.end("verb"))
            after = words[pronoun.end() :] and sentence.said(act + pronoun.end() + 1, end)
            text = f"{before} {drug.name} {after}"
            evidence = tuple(dict.fromkeys(drug.evidence + evidence))
        taken = end
        due = due_in(sentence, act, end)
        yield ActionItem(text=as_sentence(text), due=due, evidence=list(evidence))


def _is_our_own(before: str) -> bool:
    """Return whether the verb continues the clinician's own action: 'I will look and check ...'."""
    return bool(_OURS.search(" ".join(before.split()[-_OUR_WORDS:])))
