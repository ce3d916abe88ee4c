// The size limit of storage.rules, tested with the real client.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { ref, uploadBytes, uploadBytesResumable } from "firebase/storage";
import { alice, connect, denied, newId } from "./world.js";

connect();

const M4A = { contentType: "audio/mp4" };
const there = (person, path) => ref(person.bucket, path);
const pathOf = () => `visits/alice/${newId()}/audio.m4a`;

describe("the size limit of a recording", () => {
  test("accepts a recording of exactly the limit and refuses larger recordings", async () => {
    // The test lowers the limit of five gigabytes to a size that it can upload.
    const rules = readFileSync(new URL("../../storage.rules", import.meta.url), "utf8");
    const limit = "5 * 1024 * 1024 * 1024";
    assert.equal(rules.split(limit).length, 2);
    await loadRules(rules.replace(limit, "4096"));
    try {
      await uploadBytes(there(alice, pathOf()), new Uint8Array(4096), M4A);
      await denied(uploadBytes(there(alice, pathOf()), new Uint8Array(4097), M4A));
      await denied(uploadBytesResumable(there(alice, pathOf()), new Uint8Array(400_000), M4A));
    } finally {
      await loadRules(rules);
    }
    await uploadBytes(there(alice, pathOf()), new Uint8Array(4097), M4A);
  });
});

async function loadRules(content) {
  const answer = await fetch(`http://${process.env.FIREBASE_STORAGE_EMULATOR_HOST}/internal/setRules`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ rules: { files: [{ name: "storage.rules", content }] } }),
  });
  assert.equal(answer.status, 200, await answer.text());
}
