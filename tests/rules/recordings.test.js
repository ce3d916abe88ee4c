// storage.rules allow and refuse these requests of the real client.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  deleteObject, getBytes, getDownloadURL, getMetadata, listAll, ref, updateMetadata,
  uploadBytes, uploadBytesResumable,
} from "firebase/storage";
import { uploadRecording } from "../../clients/web/visits.js";
import { IDS, admin, alice, as, bob, connect, denied, newId, signedOut } from "./world.js";

connect();

const SOUND = new Uint8Array([1, 2, 3, 4]);
const M4A = { contentType: "audio/mp4" };
const otherUsers = { "another user": bob, "a signed-out client": signedOut, "an operator": admin };

const there = (person, path) => ref(person.bucket, path);
const pathOf = (uid = "alice", file = "audio.m4a", visitId = newId()) =>
  `visits/${uid}/${visitId}/${file}`;

async function uploaded(path = pathOf()) {
  await uploadBytes(there(alice, path), SOUND, M4A);
  return path;
}

describe("an owner uploads", () => {
  const recordings = {
    "audio.m4a": "audio/mp4",
    "audio.mp4": "video/mp4",
    "audio.3gp": "video/3gpp",
    "audio.aac": "audio/aac",
    "audio.mp3": "audio/mpeg",
    "audio.ogg": "audio/ogg",
    "audio.oga": "audio/ogg",
    "audio.opus": "audio/opus",
    "audio.webm": "video/webm",
    "audio.flac": "audio/x-flac",
    "audio.wav": "audio/vnd.wave",
  };
  const others = [
    ["audio.caf", "audio/x-caf"], ["audio.aiff", "audio/aiff"], ["audio.aif", "audio/x-aiff"],
    ["audio.amr", "audio/AMR"], ["audio.mov", "video/quicktime"], ["audio.3g2", "video/3gpp2"],
    ["audio.ogg", "application/ogg"], ["audio.webm", "audio/webm;codecs=opus"],
    ["audio.ogg", "audio/ogg; codecs=opus"], ["audio.webm", "video/webm;codecs=vp8,opus"],
    ["audio.mp4", 'audio/mp4; codecs="mp4a.40.2"'], ["audio.mp4", "Audio/MP4; Codecs=Opus"],
    ["audio.mp4", 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"'],
  ];
  for (const [file, contentType] of [...Object.entries(recordings), ...others]) {
    test(`${file} as ${contentType}`, async () => {
      await uploadBytes(there(alice, pathOf("alice", file)), SOUND, { contentType });
    });
  }

  test("several files (takes) of an interrupted recording, by the example client", async () => {
    const visit = { visitId: newId(), userId: "alice" };
    for (const take of [1, 2, 3, 20]) {
      await uploadRecording(alice.bucket, visit, new Blob([SOUND], { type: "audio/mp4" }), "m4a", take);
    }
    await denied(uploadRecording(alice.bucket, visit, new Blob([SOUND], { type: "audio/mp4" }), "m4a", 2));
  });

  for (const uid of IDS) {
    test(`as ${uid}`, async () => {
      const path = pathOf(uid);
      await uploadBytes(there(as(uid), path), SOUND, M4A);
      assert.equal((await getBytes(there(as(uid), path))).byteLength, SOUND.length);
      await denied(getBytes(there(alice, path)));
    });
  }

  for (const [type, extension] of [["audio/webm;codecs=opus", "webm"], ["", "CAF"]]) {
    test(`a blob of type ${JSON.stringify(type)}, by the example client`, async () => {
      const visit = { visitId: newId(), userId: "alice" };
      await uploadRecording(alice.bucket, visit, new Blob([SOUND], { type }), extension);
    });
  }

  test("in resumable chunks, by the example client, and can play the recording", async () => {
    const visitId = newId();
    const path = pathOf("alice", "audio.m4a", visitId);
    const recording = new Blob([new Uint8Array(600_000)], { type: "audio/mp4" });
    await uploadRecording(alice.bucket, { visitId, userId: "alice" }, recording, "m4a");
    assert.equal((await getMetadata(there(alice, path))).size, 600_000);
    assert.equal((await getBytes(there(alice, path))).byteLength, 600_000);
  });
});

describe("hostile: uploading", () => {
  const types = ["text/html", "image/png", "application/octet-stream", "video/x-msvideo",
    "video/mp4; x", "audio/", "audio", "xaudio/mp4", "audio/mp4\ntext/html", "audio/mp4;codecs=",
    "application/audio/mp4"];
  for (const contentType of types) {
    test(`as ${JSON.stringify(contentType)}`, async () => {
      await denied(uploadBytes(there(alice, pathOf()), SOUND, { contentType }));
    });
  }

  const files = ["audio.exe", "audio.m4a.exe", "audio", "audio.", "Audio.m4a", "audio.M4A",
    "audio_m4a", "audio-2.m4a", "audio.1.m4a", "audio.21.m4a", "audio.02.m4a", "audio.2", "audio.2.2.m4a", "other.m4a", ".m4a", "audio.m4a ", "audio.html", "xaudio.m4a",
    "audio.m4a\n"];
  for (const file of files) {
    test(`a file called ${JSON.stringify(file)}`, async () => {
      await denied(uploadBytes(there(alice, pathOf("alice", file)), SOUND, M4A));
    });
  }

  const paths = {
    "another user's folder": pathOf("bob"),
    "another user's folder by a relative path": `visits/alice/../bob/${newId()}/audio.m4a`,
    "another user's folder by an encoded slash": `visits/alice%2F..%2Fbob/${newId()}/audio.m4a`,
    "a folder with their own id as its prefix": pathOf("alice2"),
    "a folder in capital letters": pathOf("ALICE"),
    "no folder": "audio.m4a",
    "no visit": "visits/alice/audio.m4a",
    "no user": "visits/audio.m4a",
    "a folder too deep": `visits/alice/${newId()}/more/audio.m4a`,
    "another tree": `exports/alice/${newId()}/audio.m4a`,
    "the tree of redacted copies": `redacted/alice/${newId()}/audio.m4a`,
    "a visit with a space": pathOf("alice", "audio.m4a", "a visit"),
    "a visit with a dot": pathOf("alice", "audio.m4a", "v.1"),
    "a visit in another script": pathOf("alice", "audio.m4a", "визит"),
    "a visit with an id that is too long": pathOf("alice", "audio.m4a", "v".repeat(129)),
    "a visit with an empty id": "visits/alice//audio.m4a",
  };
  for (const [where, path] of Object.entries(paths)) {
    test(`to ${where}`, async () => {
      await denied(uploadBytes(there(alice, path), SOUND, M4A));
    });
  }

  test("by a user with an id that functions refuse", async () => {
    for (const uid of ["a lice", "älice", "__alice__"]) {
      await denied(uploadBytes(there(as(uid), pathOf(uid)), SOUND, M4A));
    }
  });

  test("an empty file", async () => {
    await denied(uploadBytes(there(alice, pathOf()), new Uint8Array(0), M4A));
  });

  for (const [name, person] of Object.entries(otherUsers)) {
    test(`to the owner's folder, by ${name}`, async () => {
      await denied(uploadBytes(there(person, pathOf()), SOUND, M4A));
    });

    test(`in chunks to the owner's folder, by ${name}`, async () => {
      await denied(uploadBytesResumable(there(person, pathOf()), new Uint8Array(600_000), M4A));
    });

    test(`over the owner's recording, by ${name}`, async () => {
      const path = await uploaded();
      await denied(uploadBytes(there(person, path), SOUND, M4A));
    });
  }
});

describe("hostile: an existing recording", () => {
  test("is overwritten", async () => {
    const path = await uploaded();
    await denied(uploadBytes(there(alice, path), new Uint8Array([9]), M4A));
    assert.deepEqual(new Uint8Array(await getBytes(there(alice, path))), SOUND);
  });

  test("is overwritten in chunks", async () => {
    const path = await uploaded();
    await denied(uploadBytesResumable(there(alice, path), new Uint8Array(600_000), M4A));
  });

  test("is given another type", async () => {
    const path = await uploaded();
    await denied(updateMetadata(there(alice, path), { contentType: "text/html" }));
  });

  const users = { "its owner": alice, "another user": bob, "a signed-out client": signedOut };
  for (const [name, person] of Object.entries(users)) {
    test(`is deleted by ${name}`, async () => {
      const path = await uploaded();
      await denied(deleteObject(there(person, path)));
    });
  }

  for (const [name, person] of Object.entries(otherUsers)) {
    test(`is downloaded by ${name}`, async () => {
      const path = await uploaded();
      await denied(getBytes(there(person, path)));
    });
    test(`has its metadata read by ${name}`, async () => {
      const path = await uploaded();
      await denied(getMetadata(there(person, path)));
    });
    test(`gets a download link for ${name}`, async () => {
      const path = await uploaded();
      await denied(getDownloadURL(there(person, path)));
    });
  }

  const folders = ["", "visits", "visits/alice", "visits/bob", "visits/alice/v1",
    "visits/alice/v1/audio.m4a"];
  for (const path of folders) {
    test(`is listed in ${path || "the whole bucket"}`, async () => {
      await denied(listAll(there(alice, path)));
    });
  }
});
