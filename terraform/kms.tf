# One key per store, in the store's location. The destruction of a key makes the data encrypted with
# it, also in backups, unreadable; hence the guard against destruction.
locals {
  # Firestore's multi-regions have other names in Cloud KMS.
  firestore_key_location = lookup(
    { nam5 = "us", nam7 = "us", eur3 = "europe" }, var.firestore_location, var.firestore_location
  )
  keys = {
    recordings = { location = var.region, agent = local.storage_agent }
    secrets    = { location = var.region, agent = local.agents["secretmanager"] }
    firestore  = { location = local.firestore_key_location, agent = local.agents["firestore"] }
  }
}

resource "google_kms_key_ring" "this" {
  for_each = local.keys

  name     = "lumimd-${each.key}"
  location = each.value.location

  depends_on = [time_sleep.apis]
}

resource "google_kms_crypto_key" "this" {
  for_each = local.keys

  name            = each.key
  key_ring        = google_kms_key_ring.this[each.key].id
  rotation_period = "7776000s" # 90 days
  # Time to notice a mistake: a version scheduled for destruction can be restored during it.
  destroy_scheduled_duration = "2592000s" # 30 days

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "this" {
  for_each = local.keys

  crypto_key_id = google_kms_crypto_key.this[each.key].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value.agent

  depends_on = [time_sleep.agents]
}

# A grant on a key takes effect with a delay, and a store that cannot use its key is not created.
resource "time_sleep" "keys" {
  create_duration = "60s"

  depends_on = [google_kms_crypto_key_iam_member.this]
}
