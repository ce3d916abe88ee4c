# What holds visits: how it is kept, for how long, and who holds the key.
mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}
mock_provider "google-beta" {
  override_during = plan
}
mock_provider "time" {
  override_during = plan
}

variables {
  project_id                = "lumimd-test"
  environment               = "prod"
  region                    = "us-central1"
  firestore_location        = "nam5"
  source_archive            = "versions.tf"
  runbooks_url              = "https://example.com/runbooks"
  secret_versions           = { ASSEMBLYAI_API_KEY = "3", OPENAI_API_KEY = "4", WEBHOOK_SECRET = "5" }
  notification_emails       = ["oncall@example.com"]
  billing_account           = "000000-000000-000000"
  audit_log_retention_days  = 2192
  audio_retention_days      = 30
  transcript_retention_days = 365
}

run "the_database_can_be_restored_to_the_minute_and_cannot_be_deleted" {
  command = plan

  assert {
    condition     = google_firestore_database.this.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED"
    error_message = "Point-in-time recovery is off."
  }

  assert {
    condition     = length(google_firestore_backup_schedule.daily.daily_recurrence) == 1 && google_firestore_backup_schedule.daily.retention == "1209600s"
    error_message = "A backup a day, kept for 14 days."
  }

  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED"
    error_message = "Delete protection is off."
  }
}

run "everything_that_holds_a_visit_has_a_key_of_ours_where_it_lies" {
  command = plan

  assert {
    condition = (
      google_firestore_database.this.cmek_config[0].kms_key_name == google_kms_crypto_key.this["firestore"].id &&
      google_storage_bucket.recordings.encryption[0].default_kms_key_name == google_kms_crypto_key.this["recordings"].id &&
      alltrue([
        for secret in google_secret_manager_secret.this :
        secret.replication[0].user_managed[0].replicas[0].customer_managed_encryption[0].kms_key_name == google_kms_crypto_key.this["secrets"].id
      ])
    )
    error_message = "A store without a customer-managed key."
  }

  assert {
    condition     = google_kms_key_ring.this["firestore"].location == "us" && google_kms_key_ring.this["recordings"].location == "us-central1"
    error_message = "Firestore's nam5 is `us` in Cloud KMS."
  }

  assert {
    condition     = alltrue([for key in google_kms_crypto_key.this : key.rotation_period == "7776000s"])
    error_message = "Keys rotate every 90 days."
  }
}

run "recordings_are_never_public_and_accesses_are_recorded_for_six_years" {
  command = plan

  assert {
    condition = alltrue([
      for bucket in [google_storage_bucket.recordings, google_storage_bucket.source] :
      bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access
    ])
    error_message = "A bucket that could be opened to the public."
  }

  assert {
    condition     = google_logging_project_bucket_config.audit.retention_days == 2192
    error_message = "Six years."
  }

  assert {
    condition = alltrue([
      for service in ["datastore.googleapis.com", "storage.googleapis.com"] :
      toset([for config in google_project_iam_audit_config.this[service].audit_log_config : config.log_type]) ==
      toset(["ADMIN_READ", "DATA_READ", "DATA_WRITE"])
    ])
    error_message = "Reads of visits and recordings are recorded."
  }
}

run "recordings_go_when_their_time_is_over" {
  command = plan

  variables {
    audio_retention_days = 90
  }

  assert {
    condition = one([
      for rule in google_storage_bucket.recordings.lifecycle_rule : one(rule.condition).age if one(rule.action).type == "Delete"
    ]) == 97
    error_message = "The backstop is a week after the retention."
  }

  assert {
    condition     = !google_storage_bucket.recordings.versioning[0].enabled
    error_message = "A version would outlive the recording."
  }

  assert {
    condition = one([
      for rule in google_storage_bucket.recordings.lifecycle_rule : one(rule.condition).age
      if one(rule.action).type == "AbortIncompleteMultipartUpload"
    ]) == 1
    error_message = "Parts of uploads stay for ever."
  }
}

run "browsers_upload_from_our_pages_alone" {
  command = plan

  variables {
    browser_origins = ["https://app.example.com"]
  }

  assert {
    condition     = one(google_storage_bucket.recordings.cors).origin == tolist(["https://app.example.com"])
    error_message = "CORS names the variable's pages."
  }
}

run "every_index_of_the_file_is_made" {
  command = plan

  assert {
    condition     = length(google_firestore_index.this) == length(local.indexes.indexes) && length(local.indexes.indexes) > 0
    error_message = "infra/firestore.indexes.json and the indexes differ."
  }

  assert {
    condition = alltrue([
      for index in google_firestore_index.this :
      alltrue([for field in index.fields : field.order != null || field.array_config != null])
    ])
    error_message = "A field of an index without an order."
  }

  assert {
    condition = toset([
      for key, field in google_firestore_field.this : key if length(field.ttl_config) > 0
      ]) == toset([
      for field in local.indexes.fieldOverrides : "${field.collectionGroup}/${field.fieldPath}" if try(field.ttl, false)
    ])
    error_message = "A field that should expire documents does not."
  }
}

run "europe_stays_in_europe" {
  command = plan

  variables {
    region             = "europe-west3"
    firestore_location = "eur3"
    provider_region    = "eu"
  }

  assert {
    condition = alltrue([
      for f in google_cloudfunctions2_function.this :
      f.service_config[0].environment_variables.ASSEMBLYAI_BASE_URL == "https://api.eu.assemblyai.com"
    ])
    error_message = "An EU deployment calls the provider's EU region."
  }

  assert {
    condition = alltrue([
      for f in google_cloudfunctions2_function.this :
      f.service_config[0].environment_variables.OPENAI_BASE_URL == "https://eu.api.openai.com/v1"
    ])
    error_message = "An EU deployment calls the model's EU endpoint."
  }
}

run "a_server_of_our_own_in_europe_is_named_as_one" {
  command = plan

  variables {
    region               = "europe-west3"
    firestore_location   = "eur3"
    provider_region      = "eu"
    openai_base_url      = "https://model.example.eu/v1"
    openai_server_region = "eu"
  }

  assert {
    condition = alltrue([
      for f in google_cloudfunctions2_function.this :
      f.service_config[0].environment_variables.OPENAI_BASE_URL == "https://model.example.eu/v1" &&
      f.service_config[0].environment_variables.OPENAI_SERVER_REGION == "eu"
    ])
    error_message = "The functions are told of the server and of its region."
  }
}
