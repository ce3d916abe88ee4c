resource "google_firebase_project" "this" {
  provider = google-beta

  project = var.project_id

  depends_on = [time_sleep.apis]
}

# The web client's public configuration; see the output client_configuration.
resource "google_firebase_web_app" "this" {
  provider = google-beta

  display_name = "LumiMD"

  depends_on = [google_firebase_project.this]
}

data "google_firebase_web_app_config" "this" {
  provider = google-beta

  web_app_id = google_firebase_web_app.this.app_id
}

locals {
  rules = {
    "firestore.rules" = "cloud.firestore"
    "storage.rules"   = "firebase.storage/${google_storage_bucket.recordings.name}"
  }
}

resource "google_firebaserules_ruleset" "this" {
  for_each = local.rules

  source {
    files {
      name    = each.key
      content = file("${path.module}/../${each.key}")
    }
  }

  # The release moves to the new ruleset before the old one is deleted.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_firestore_database.this, google_firebase_storage_bucket.recordings]
}

resource "google_firebaserules_release" "this" {
  for_each = local.rules

  name         = each.value
  ruleset_name = google_firebaserules_ruleset.this[each.key].name
}
