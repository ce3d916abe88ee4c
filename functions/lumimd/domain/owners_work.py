"""Merges action items so that a new summary keeps the owner's completed marks, days and edits.

An item of the new summary takes over the document, and so the id, of the earlier item with the same
content. Two items have the same content if their extracted texts are equal, or if both cite the
same spoken words and their texts share words. An earlier item without a successor stays if its
owner has worked on it; otherwise it is retired. Items that the owner added do not change (decision
0024). All functions are pure.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lumimd.domain.commit import StoredAction
from lumimd.domain.visit import Action

MIN_SIMILARITY: Final = 0.5
"""The least share of common words at which two items count as the same, if several items have the
same evidence. If only a dose changed, the share is larger; for another task about the same
sentence, the share is smaller."""

MIN_CONTENT_LETTERS: Final = 4
"""The least number of letters of a content word; shorter words are mostly grammar."""

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True)
class Merged:
    """The merged action items of a visit after a new summary.

    `ids` lists all items in order, `write` the documents that change, and `retired` the ids to
    delete. `versions` holds the versions of the changed and deleted documents, as they were read.
    """

    ids: tuple[str, ...]
    write: tuple[Action, ...]
    retired: tuple[str, ...]
    versions: dict[str, object]


def merged(earlier: Sequence[StoredAction], made: Sequence[Action]) -> Merged:
    """Merge the `earlier` items of the last summary with the items `made` from the new summary."""
    taken_over = dict(_pairs([each.action for each in earlier], made))
    successors = {earlier[number].action.action_id: each for each, number in taken_over.items()}
    items = [
        _carried_over(earlier[taken_over[number]].action, each) if number in taken_over else each
        for number, each in enumerate(made)
    ]
    left = [each.action for each in earlier if each.action.action_id not in successors]
    kept = [each for each in left if is_worked_on(each)]
    retired = tuple(each.action_id for each in left if not is_worked_on(each))
    before = {each.action.action_id: each for each in earlier}
    write = tuple(
        each
        for each in items
        if each.action_id not in before or before[each.action_id].action != each
    )
    changed = {*retired, *(each.action_id for each in write)}
    return Merged(
        ids=tuple(each.action_id for each in (*items, *kept)),
        write=write,
        retired=retired,
        versions={name: each.version for name, each in before.items() if name in changed},
    )


def beside(earlier: Sequence[str], made: Sequence[Action]) -> Merged:
    """Keep the `earlier` items unchanged under a legal hold, and add the new items after them."""
    new = tuple(each for each in made if each.action_id not in earlier)
    ids = (*earlier, *(each.action_id for each in new))
    return Merged(ids=ids, write=new, retired=(), versions={})


def is_worked_on(action: Action) -> bool:
    """Whether the owner has completed, dated or edited the item.

    Items without a stored extracted text, of earlier releases, count as edited.
    """
    return action.completed or action.due_date is not None or action.text != action.extracted_text


def _carried_over(earlier: Action, made: Action) -> Action:
    """Return the document of the earlier item with the new content; changes by the owner stay."""
    text = made.text if earlier.text == earlier.extracted_text else earlier.text
    return earlier.model_copy(
        update={
            "text": text,
            "extracted_text": made.text,
            "said": made.said,
            "evidence": made.evidence,
            "due": made.due,
        }
    )


def _pairs(earlier: Sequence[Action], made: Sequence[Action]) -> Iterator[tuple[int, int]]:
    """Yield index pairs `(made, earlier)` of items with the same content, each index once."""
    free = dict(enumerate(earlier))
    waiting = dict(enumerate(made))
    same: tuple[Callable[[Action, Action], bool], ...] = (
        lambda old, new: _plain(old.extracted_text or old.text) == _plain(new.text),
        lambda old, new: _plain(old.text) == _plain(new.text),
    )
    for is_same in same:
        for number, new in list(waiting.items()):
            found = next((each for each, old in free.items() if is_same(old, new)), None)
            if found is not None:
                del free[found], waiting[number]
                yield number, found
    for number, found in _by_evidence(free, waiting):
        if found in free and number in waiting:
            del free[found], waiting[number]
            yield number, found


def _by_evidence(free: dict[int, Action], waiting: dict[int, Action]) -> list[tuple[int, int]]:
    """Return index pairs of items that cite the same spoken words, the most similar pairs first."""
    pairs = [
        (number, found)
        for number, new in waiting.items()
        for found, old in free.items()
        if _cite_the_same(old, new)
    ]
    similarity = {pair: _similarity(free[pair[1]], waiting[pair[0]]) for pair in pairs}

    def is_sure(pair: tuple[int, int]) -> bool:
        is_only_one = all(pair[0] != n and pair[1] != f for n, f in pairs if (n, f) != pair)
        if is_only_one and waiting[pair[0]].said is not None and free[pair[1]].said is not None:
            return bool(_content_words(free[pair[1]]) & _content_words(waiting[pair[0]]))
        return similarity[pair] >= MIN_SIMILARITY

    return sorted(filter(is_sure, pairs), key=lambda pair: (-similarity[pair], pair))


def _cite_the_same(old: Action, new: Action) -> bool:
    """Whether both items cite the same spoken words.

    Items of earlier releases have no hash of the words, so their utterance ids are compared.
    """
    if old.said is None or new.said is None:
        return bool(new.evidence) and old.evidence == new.evidence
    return old.said == new.said


def _similarity(old: Action, new: Action) -> float:
    one, other = _words(old.extracted_text or old.text), _words(new.text)
    return len(one & other) / max(1, len(one | other))


def _content_words(action: Action) -> set[str]:
    words = _words(action.extracted_text or action.text)
    return {word for word in words if len(word) >= MIN_CONTENT_LETTERS}


def _words(text: str) -> set[str]:
    return set(_plain(text).split())


def _plain(text: str) -> str:
    """Return the words of a text in lower case, without punctuation, separated by single spaces."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
