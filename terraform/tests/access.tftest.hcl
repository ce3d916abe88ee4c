# Who may do what.
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
  project_id         = "lumimd-test"
  environment        = "dev"
  region             = "us-central1"
  firestore_location = "us-central1"
  source_archive     = "versions.tf" # any file will do: it is not uploaded
  runbooks_url       = "https://example.com/runbooks"
  secret_versions    = { ASSEMBLYAI_API_KEY = "3", OPENAI_API_KEY = "4", WEBHOOK_SECRET = "5" }
}

run "only_the_webhook_and_the_api_are_open_to_everybody" {
  command = plan

  assert {
    condition = toset(keys(google_cloud_run_v2_service_iam_member.public)) == toset([
      "api", "on_transcription_webhook",
    ])
    error_message = "Public: ${join(", ", keys(google_cloud_run_v2_service_iam_member.public))}"
  }

  assert {
    condition = alltrue([
      for name, f in google_cloudfunctions2_function.this :
      f.service_config[0].ingress_settings == (
        contains(["api", "on_transcription_webhook"], name) ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
      )
    ])
    error_message = "A function that only Google calls is not reachable from outside."
  }

  assert {
    condition = length([
      for member in concat(
        values(google_cloud_run_v2_service_iam_member.caller)[*].member,
        values(google_storage_bucket_iam_member.read_recordings)[*].member,
        values(google_storage_bucket_iam_member.delete_recordings)[*].member,
        values(google_secret_manager_secret_iam_member.reader)[*].member,
        values(google_project_iam_member.use_firestore)[*].member,
      ) : member if startswith(member, "all")
    ]) == 0
    error_message = "allUsers or allAuthenticatedUsers outside invokers.tf."
  }

  assert {
    condition = toset(keys(google_cloud_run_v2_service_iam_member.caller)) == toset([
      "enforce_retention", "on_audio_finalized", "summarize_visit", "wake_due_visits",
    ])
    error_message = "Callers: ${join(", ", keys(google_cloud_run_v2_service_iam_member.caller))}"
  }

  assert {
    condition     = alltrue([for grant in google_cloud_run_v2_service_iam_member.caller : grant.role == "roles/run.invoker"])
    error_message = "A caller calls, and nothing else."
  }
}

run "every_function_has_an_account_of_its_own_with_what_it_needs" {
  command = plan

  assert {
    condition     = keys(google_service_account.function) == keys(google_cloudfunctions2_function.this)
    error_message = "One account a function."
  }

  assert {
    condition = length(distinct([
      for account in google_service_account.function : account.account_id
    ])) == length(google_cloudfunctions2_function.this)
    error_message = "Two functions share an account."
  }

  assert {
    condition = toset(keys(google_storage_bucket_iam_member.read_recordings)) == toset([
      "api", "enforce_retention", "on_audio_finalized", "wake_due_visits",
    ])
    error_message = "Who reads recordings: who measures them and lends them to the provider."
  }

  assert {
    condition = toset(keys(google_storage_bucket_iam_member.delete_recordings)) == toset([
      "enforce_retention", "wake_due_visits",
    ])
    error_message = "Nobody deletes recordings whom somebody outside can call."
  }

  assert {
    condition = toset(keys(google_storage_bucket_iam_member.hold_recordings)) == toset([
      "api", "enforce_retention", "on_audio_finalized",
    ])
    error_message = "An operator's command, the hourly run and a recording's arrival set object holds."
  }

  assert {
    condition = toset(google_project_iam_custom_role.hold_recordings.permissions) == toset([
      "storage.objects.get", "storage.objects.list", "storage.objects.update",
    ])
    error_message = "An object hold is a field of the metadata: neither content nor rights change."
  }

  assert {
    condition = length([
      for permission in concat(
        tolist(google_project_iam_custom_role.read_recordings.permissions),
        tolist(google_project_iam_custom_role.delete_recordings.permissions),
      ) : permission if endswith(permission, ".setIamPolicy") || endswith(permission, ".update")
    ]) == 0
    error_message = "A function never changes who may read."
  }

  assert {
    condition = toset([
      for key, _ in google_cloud_tasks_queue_iam_member.this : key if startswith(key, "summaries/summarize_visit")
    ]) == toset([])
    error_message = "The summarizer asks for no task."
  }

  assert {
    condition = (
      strcontains(google_project_iam_member.builder_source.condition[0].expression, "lumimd-test-source") &&
      !strcontains(google_project_iam_member.builder_source.condition[0].expression, "recordings")
    )
    error_message = "The builder's right to read is limited to source code."
  }
}

# The API asks the model's provider, with the key, for the operators' health check.
run "secrets_are_pinned_and_only_for_those_who_use_them" {
  command = plan

  assert {
    condition = [
      for key, _ in google_secret_manager_secret_iam_member.reader : key if endswith(key, "/openai-api-key")
    ] == ["api/openai-api-key", "summarize_visit/openai-api-key"]
    error_message = "Nobody else uses the model."
  }

  assert {
    condition = alltrue([
      for name, f in google_cloudfunctions2_function.this :
      f.service_config[0].environment_variables.SUMMARIZER == (
        contains(["api", "summarize_visit"], name) ? "openai" : "rules"
      )
    ])
    error_message = "Who has no key must not be told to use the model."
  }

  assert {
    condition = alltrue(flatten([
      for f in google_cloudfunctions2_function.this : [
        for secret in f.service_config[0].secret_environment_variables : can(regex("^[0-9]+$", secret.version))
      ]
    ]))
    error_message = "A secret without a pinned version."
  }

  assert {
    condition = one([
      for secret in google_cloudfunctions2_function.this["summarize_visit"].service_config[0].secret_environment_variables :
      secret.version if secret.key == "OPENAI_API_KEY"
    ]) == "4"
    error_message = "The version is the variable's."
  }
}

run "a_secret_that_rotates_is_given_in_both_versions" {
  command = plan

  variables {
    secret_versions = {
      ASSEMBLYAI_API_KEY = "3", OPENAI_API_KEY = "4", WEBHOOK_SECRET = "6", WEBHOOK_SECRET_PREVIOUS = "5"
    }
  }

  assert {
    condition = {
      for secret in google_cloudfunctions2_function.this["on_transcription_webhook"].service_config[0].secret_environment_variables :
      secret.key => "${secret.secret}:${secret.version}" if startswith(secret.key, "WEBHOOK")
    } == { WEBHOOK_SECRET = "webhook-secret:6", WEBHOOK_SECRET_PREVIOUS = "webhook-secret:5" }
    error_message = "Both versions of one secret, under two names."
  }
}

run "the_scheduler_calls_with_a_token_for_the_very_service" {
  command = plan

  override_resource {
    target          = google_cloudfunctions2_function.this["wake_due_visits"]
    values          = { service_config = { uri = "https://wake-due-visits.example.run.app" } }
    override_during = plan
  }

  override_resource {
    target          = google_cloudfunctions2_function.this["enforce_retention"]
    values          = { service_config = { uri = "https://enforce-retention.example.run.app" } }
    override_during = plan
  }

  assert {
    condition = {
      for name, job in google_cloud_scheduler_job.this : name => job.http_target[0].uri
      } == {
      wake-due-visits   = "https://wake-due-visits.example.run.app"
      enforce-retention = "https://enforce-retention.example.run.app"
    }
    error_message = "Each job calls its own function, at the service's uri."
  }

  assert {
    condition = alltrue([
      for job in google_cloud_scheduler_job.this : (
        job.http_target[0].oidc_token[0].audience == job.http_target[0].uri &&
        job.http_target[0].oidc_token[0].service_account_email == google_service_account.caller["scheduler"].email
      )
    ])
    error_message = "The token is the scheduler's, and for the service that is called."
  }
}

run "an_organization_that_forbids_all_users_gets_no_such_grant" {
  command = plan

  variables {
    open_to_all_users = false
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.public) == 0
    error_message = "The apply would be refused."
  }
}
