"""The security rules and the Python code name the same paths, fields, types and limits."""

import json
import math
import mimetypes
import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from infra.local.stack import ROOT
from infra.schemas.documents import READ
from lumimd.api.schemas import ContentType
from lumimd.domain import client_access
from lumimd.domain import visit as records
from lumimd.domain.audio import MAX_BYTES, recording_of
from lumimd.domain.client_access import RECORDING_EXTENSIONS, RECORDING_TYPES
from lumimd.domain.commit import Commit
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.ids import ID, RESERVED, USER_ID
from lumimd.domain.media_types import EXTENSIONS, TYPES, essence
from lumimd.domain.takes import MAX_FILES
from lumimd.ports import uploads
from tests.support.services import START, transcript

DOCUMENTS = (ROOT / "firestore.rules").read_text()
RECORDINGS = (ROOT / "storage.rules").read_text()


def function(name: str, rules: str = DOCUMENTS) -> str:
    """Return the body of a function of the security rules, on one line."""
    (body,) = re.findall(rf"function {name}\([^)]*\) \{{(.*?)\n *\}}", rules, re.DOTALL)
    return " ".join(body.split())


def words(text: str) -> set[str]:
    return set(re.findall(r"'([^']*)'", text))


def named_fields(name: str) -> set[str]:
    (fields,) = re.findall(r"(?:keys|changed)\(\)\.hasOnly\(\[(.*?)\]\)", function(name))
    return words(fields)


def schema(model: Any) -> Any:
    return TypeAdapter(model).json_schema(by_alias=True)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("isNewVisit", client_access.NewVisit),
        ("isVisitChange", client_access.VisitChange),
        ("isActionChange", client_access.ActionChange),
        ("isConsent", records.Consent),
        ("isConsent", client_access.ConsentGiven),
    ],
)
def test_the_rules_let_a_client_write_exactly_the_fields_of_the_model(
    name: str, model: Any
) -> None:
    assert named_fields(name) == set(schema(model)["properties"])


@pytest.mark.parametrize(
    ("part", "of"),
    [
        (client_access.NewVisit, records.Visit),
        (client_access.VisitChange, records.Visit),
        (client_access.ActionChange, records.Action),
    ],
)
def test_every_field_of_a_client_write_model_is_a_field_of_the_stored_document(
    part: Any, of: Any
) -> None:
    assert set(schema(part)["properties"]) <= set(schema(of)["properties"])


def test_the_rules_and_the_models_have_equal_limits_of_texts_and_tags() -> None:
    assert f"title.size() <= {schema(client_access.Title)['maxLength']}" in function("isTitle")
    tags = schema(client_access.Tags)
    assert f"tags.size() <= {tags['maxItems']}" in function("areTags")
    places = re.findall(r"isTag\(tags, (\d+)\)", function("areTags"))
    assert places == [str(place) for place in range(tags["maxItems"])]
    assert f"tags[place].size() >= {tags['items']['minLength']}" in function("isTag")
    assert f"tags[place].size() <= {tags['items']['maxLength']}" in function("isTag")
    text = schema(client_access.ActionText)
    assert f"action.text.size() >= {text['minLength']}" in function("isActionChange")
    assert f"action.text.size() <= {text['maxLength']}" in function("isActionChange")


def test_the_rules_require_the_initial_state_of_the_model_in_a_new_visit() -> None:
    begun = function("isNewVisit")
    visit = records.Visit(visit_id="v", user_id="u", created_at=START, updated_at=START)
    assert f"visit.status == '{visit.status}'" in begun
    assert f"visit.processingStatus == '{visit.processing_status}'" in begun
    (kinds,) = re.findall(r"visit\.get\('kind', '(\w+)'\) in \[(.*?)\]", begun)
    assert kinds[0] == visit.kind
    assert words(kinds[1]) == set(records.VisitKind)


def test_the_rules_accept_the_same_ids_as_the_code() -> None:
    assert f"visitId.matches('{ID}')" in function("isNewVisit")
    assert f"visitId.matches('{ID}')" in function("isRecording", RECORDINGS)
    for rule in (function("isUserId"), function("isRecording", RECORDINGS)):
        assert f"userId.matches('{USER_ID}')" in rule
        assert f"!userId.matches('{RESERVED}')" in rule


def test_the_rules_recognize_operators_by_the_token_claim_that_the_code_names() -> None:
    assert f"token.get('{client_access.ADMIN_CLAIM}', false)" in function("isAdmin")


def test_every_document_that_the_pipeline_writes_or_clients_read_has_a_rule() -> None:
    visit = records.Visit(visit_id="v", user_id="u", created_at=START, updated_at=START)
    failed = visit.model_copy(
        update={
            "processing_error": records.ProcessingError.of(
                records.ErrorCode.INTERNAL_ERROR, records.Stage.SUBMISSION
            )
        }
    )
    entry = records.HistoryEntry(
        position=0,
        event="e",
        from_status=visit.processing_status,
        to_status=visit.processing_status,
        attempt=1,
        at=START,
    )
    action = records.Action(
        action_id="a", visit_id="v", user_id="u", text="t", evidence=(), created_at=START
    )
    written = Commit(
        visit,
        [entry],
        transcript().pages(),
        actions=[action],
        dead_letter=DeadLetter.of(failed, START),
    ).writes()
    places = {tuple(path.split("/")[::2]) for path in written}
    places |= {tuple(path.split("/")[::2]) for _, path in READ.values()}
    assert places == ruled() - {("ops",)}


def ruled() -> set[tuple[str, ...]]:
    """Return the collections that have a security rule, for example ("visits", "transcript")."""
    found = set()
    inside: list[tuple[int, str]] = []
    for line in DOCUMENTS.splitlines():
        match = re.match(r"( +)match /(\w+)/\{\w+(=\*\*)?\} \{", line)
        if match is None:
            continue
        depth = len(match[1])
        inside = [outer for outer in inside if outer[0] < depth] + [(depth, match[2])]
        found.add(tuple(name for _, name in inside))
    return found


def test_the_rules_accept_the_recordings_that_the_pipeline_accepts() -> None:
    rule = function("isRecording", RECORDINGS)
    (name,) = re.findall(r"file\.matches\('(.*?)'\)", rule)
    (extensions,) = re.findall(r"\(([\w|]+)\)\$", name)
    assert tuple(extensions.split("|")) == RECORDING_EXTENSIONS
    known = {extension.removeprefix(".").lower() for extension in mimetypes.types_map}
    taken = {each for each in known if recording_of(f"visits/u/v/audio.{each}")}
    assert set(RECORDING_EXTENSIONS) & known == taken
    for extension in RECORDING_EXTENSIONS:
        assert recording_of(f"visits/u/v/audio.{extension}") == ("u", "v")
    assert f"contentType.matches('^({RECORDING_TYPES})$')" in rule
    takes = [n for n in range(200) if re.fullmatch(name, f"audio.{n}.m4a")]
    assert takes == list(range(2, client_access.TAKES_OF_A_CLIENT + 1))
    assert recording_of("visits/u/v/audio.20.m4a") == ("u", "v")
    assert client_access.TAKES_OF_A_CLIENT <= MAX_FILES


def test_the_documentation_and_the_web_client_name_every_accepted_file_extension() -> None:
    named = ", ".join(EXTENSIONS[:-1]) + f" or {EXTENSIONS[-1]}"
    for page in ("README.md", "docs/clients.md", "clients/web/visits.js"):
        assert named in re.sub(r"\s+#?\s*", " ", (ROOT / page).read_text()), page
    assert set(TYPES.values()) <= set(EXTENSIONS)


SENT = [
    # Sent by MediaRecorder of Chromium, Firefox and Safari.
    *("audio/webm;codecs=opus", "audio/ogg; codecs=opus", "audio/mp4;codecs=opus"),
    *('audio/mp4; codecs="mp4a.40.2"', 'audio/webm; codecs="opus"', "audio/webm;codecs=pcm"),
    *("video/webm;codecs=vp8,opus", "video/webm; codecs=vp8, opus", "video/webm;codecs=h264"),
    *('video/mp4; codecs="avc1.42E01E, mp4a.40.2"', "video/x-matroska;codecs=avc1"),
    # Other parameters, and types in capitals.
    *("audio/L16;rate=44100;channels=1", "AUDIO/WebM;Codecs=Opus", "Audio/MPEG", "audio/webm;"),
    *("audio/amr;octet-align=1", 'audio/3gpp; note="a;b"', "audio/mp4; charset=utf-8 ; a=b"),
    # Types that file choosers assign to files.
    *("audio/x-caf", "audio/aiff", "audio/x-aiff", "audio/AMR", "audio/vnd.wave", "audio/x-ms-wma"),
    *("video/3gpp2", "video/quicktime", "video/ogg", "application/ogg"),
]

NO_RECORDINGS = [
    *("", "audio", "audio/", "xaudio/mp4", "application/audio/mp4", "text/html", "image/png"),
    *(
        "application/octet-stream",
        "video/x-msvideo",
        "video/mp4; x",
        "video/mp4; =x",
        "video/mp4;;",
    ),
    *("audio/mp4\ntext/html", "audio/webm;codecs=opus\n", "audio/webm;codecs=", "audio/web m"),
    *("audio/mp4, text/html", 'audio/mp4; codecs="opus', "video/mp4a", "audio/ä", "audio/mp4;a=ä"),
    *("text/html;audio/mp4", "audio/mp4;a=b<\x00", "audio/mp4 text/html"),
]


@pytest.mark.parametrize("content_type", SENT)
def test_the_rules_accept_content_types_with_parameters_as_recorders_send_them(
    content_type: str,
) -> None:
    assert re.fullmatch(RECORDING_TYPES, content_type)


@pytest.mark.parametrize("content_type", NO_RECORDINGS)
def test_the_rules_refuse_content_types_other_than_recordings(content_type: str) -> None:
    assert not re.fullmatch(RECORDING_TYPES, content_type)


ANNOUNCED = TypeAdapter(ContentType)


@pytest.mark.parametrize("content_type", SENT)
def test_the_api_and_the_rules_accept_a_known_content_type_with_parameters(
    content_type: str,
) -> None:
    if essence(content_type) not in TYPES:
        return
    announced = ANNOUNCED.validate_python(content_type)
    assert uploads.recording_path("alice", "v1", announced).startswith("visits/alice/v1/audio.")
    assert re.fullmatch(RECORDING_TYPES, announced)
    assert announced.partition(";")[2] == content_type.partition(";")[2]


OF_NO_KNOWN_TYPE = [each for each in NO_RECORDINGS if essence(each) not in TYPES]
NO_HEADERS = ["audio/webm;codecs=opus\n", "audio/mp4;a=b<\x00", "audio/mp4;a=ä", "audio/mp4\n"]


@pytest.mark.parametrize(
    "content_type", [*OF_NO_KNOWN_TYPE, *NO_HEADERS, "audio/x-unheard-of", 7, None]
)
def test_the_api_refuses_content_types_other_than_recordings(content_type: object) -> None:
    with pytest.raises(ValidationError):
        ANNOUNCED.validate_python(content_type)


def test_the_size_limit_in_the_storage_rules_equals_the_limit_of_the_pipeline() -> None:
    (product,) = re.findall(
        r"request\.resource\.size <= ([\d* ]+)", function("isRecording", RECORDINGS)
    )
    assert math.prod(int(factor) for factor in product.split("*")) == MAX_BYTES


@pytest.mark.parametrize("content_type", TYPES)
def test_the_rules_accept_uploads_to_the_path_that_the_api_gives(content_type: str) -> None:
    path = uploads.recording_path("alice", "v1", content_type)
    assert path.startswith("visits/alice/v1/audio.")
    assert path.rpartition(".")[2] in RECORDING_EXTENSIONS
    assert re.fullmatch(RECORDING_TYPES, content_type)


def test_the_firebase_configuration_deploys_the_tested_rules_files() -> None:
    config = json.loads((ROOT / "firebase.json").read_text())
    assert config["firestore"]["rules"] == "firestore.rules"
    assert config["storage"]["rules"] == "storage.rules"
