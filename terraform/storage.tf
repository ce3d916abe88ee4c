locals {
  # enforce_retention deletes recordings on their day and respects legal holds. The bucket's own rule
  # follows later, for recordings that the function has missed. A lifecycle rule cannot delete an object
  # under a hold, and a legal hold on a visit sets one on each of its recordings.
  recordings_backstop_days = var.audio_retention_days + 7
}

resource "google_storage_bucket" "recordings" {
  #checkov:skip=CKV_GCP_78:an earlier version of a recording would outlive its deletion
  #checkov:skip=CKV_GCP_62:every read and write is in the audit log, with the account; see audit.tf
  name     = "${var.project_id}-recordings"
  location = var.region # the Eventarc trigger must be in the same location

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  encryption {
    default_kms_key_name = google_kms_crypto_key.this["recordings"].id
  }

  versioning {
    enabled = false
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = local.recordings_backstop_days
    }
  }

  # Without this rule unfinished uploads are kept, and charged, until a client aborts them.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  dynamic "cors" {
    for_each = length(var.browser_origins) > 0 ? [var.browser_origins] : []

    content {
      origin          = cors.value
      method          = ["GET", "HEAD", "POST", "PUT"]
      response_header = ["Content-Range", "Content-Type", "ETag", "Location", "Range", "X-Goog-Resumable"]
      max_age_seconds = 3600
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [time_sleep.keys]
}

# Allows phones and browsers to upload with the Firebase SDK, under storage.rules.
resource "google_firebase_storage_bucket" "recordings" {
  provider = google-beta

  bucket_id = google_storage_bucket.recordings.name

  depends_on = [google_firebase_project.this, google_project_iam_member.agent]
}

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:contains only the released source code
  name     = "${var.project_id}-source"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # the archives are built again from the repository

  encryption {
    default_kms_key_name = google_kms_crypto_key.this["recordings"].id
  }

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
    }
  }

  depends_on = [time_sleep.keys]
}

# Named by its content: each archive is a separate object, so a rollback finds the previous one.
resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "functions-${filesha256(var.source_archive)}.zip"
  source = var.source_archive
}
