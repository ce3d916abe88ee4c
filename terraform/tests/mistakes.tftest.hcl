# Values that must be refused before anything is made.
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
  project_id          = "lumimd-test"
  environment         = "prod"
  region              = "us-central1"
  firestore_location  = "nam5"
  source_archive      = "versions.tf"
  runbooks_url        = "https://example.com/runbooks"
  secret_versions     = { ASSEMBLYAI_API_KEY = "3", OPENAI_API_KEY = "4", WEBHOOK_SECRET = "5" }
  notification_emails = ["oncall@example.com"]
  billing_account     = "000000-000000-000000"

  audit_log_retention_days = 2192
}

run "production_is_protected_observed_and_paid_for" {
  command = plan

  variables {
    delete_protection        = false
    require_consent          = false
    notification_emails      = []
    billing_account          = null
    audit_log_retention_days = 30
    browser_origins          = ["http://app.example.com"]
  }

  expect_failures = [
    var.delete_protection,
    var.require_consent,
    var.notification_channels,
    var.billing_account,
    var.audit_log_retention_days,
    var.browser_origins,
  ]
}

run "a_secret_is_never_the_latest" {
  command = plan

  variables {
    secret_versions = { ASSEMBLYAI_API_KEY = "latest", OPENAI_API_KEY = "4", WEBHOOK_SECRET = "5" }
  }

  expect_failures = [var.secret_versions]
}

run "europe_does_not_send_recordings_to_america_and_names_must_exist" {
  command = plan

  variables {
    region             = "europe-west3"
    firestore_location = "eur3"
    provider_region    = "us"
    browser_origins    = ["*"]
    min_instances      = { apo = 2 }
  }

  expect_failures = [var.provider_region, var.browser_origins, var.min_instances]
}

run "europe_does_not_send_transcripts_to_the_models_default_endpoint" {
  command = plan

  variables {
    region             = "europe-west3"
    firestore_location = "eur3"
    provider_region    = "eu"
    openai_base_url    = "https://api.openai.com/v1"
  }

  expect_failures = [var.openai_base_url]
}

run "europe_does_not_send_transcripts_to_the_models_american_endpoint" {
  command = plan

  variables {
    region               = "europe-west3"
    firestore_location   = "eur3"
    provider_region      = "eu"
    openai_base_url      = "https://us.api.openai.com/v1"
    openai_server_region = "eu"
  }

  expect_failures = [var.openai_base_url]
}

run "europe_does_not_send_transcripts_to_a_server_of_no_known_region" {
  command = plan

  variables {
    region             = "europe-west3"
    firestore_location = "eur3"
    provider_region    = "eu"
    openai_base_url    = "https://model.example.com/v1"
  }

  expect_failures = [var.openai_base_url]
}

run "europe_does_not_send_transcripts_to_a_host_that_only_looks_european" {
  command = plan

  variables {
    region             = "europe-west3"
    firestore_location = "eur3"
    provider_region    = "eu"
    openai_base_url    = "https://eu.api.openai.com.example.com/v1"
  }

  expect_failures = [var.openai_base_url]
}

run "america_does_not_send_transcripts_to_europe" {
  command = plan

  variables {
    openai_base_url = "https://eu.api.openai.com/v1"
  }

  expect_failures = [var.openai_base_url]
}

run "a_canary_is_not_deployed_over_traffic_that_follows_the_latest_revision" {
  command = plan

  variables {
    all_traffic_on_latest_revision = false
  }

  override_data {
    target = data.google_cloud_run_v2_service.deployed
    values = {
      traffic = [
        { type = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent = 100, revision = "", tag = "" },
        { type = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", percent = 0, revision = "api-1", tag = "last-good" },
      ]
    }
  }

  expect_failures = [google_cloudfunctions2_function.this]
}

run "nor_over_traffic_without_a_setting" {
  command = plan

  variables {
    all_traffic_on_latest_revision = false
  }

  override_data {
    target = data.google_cloud_run_v2_service.deployed
    values = { traffic = [] }
  }

  expect_failures = [google_cloudfunctions2_function.this]
}
