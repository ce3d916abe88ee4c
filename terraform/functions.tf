locals {
  # The variables that functions/lumimd/runtime/settings.py reads, without the secrets.
  values = {
    ASSEMBLYAI_BASE_URL          = local.provider.base_url
    AUDIO_BUCKET                 = google_storage_bucket.recordings.name
    AUDIO_HANDOVER               = "signed_url"
    AUDIO_RETENTION_DAYS         = tostring(var.audio_retention_days)
    DEFAULT_TIER                 = var.default_tier
    EXPIRE_UNFINISHED_AFTER_DAYS = tostring(var.expire_unfinished_after_days)
    GOOGLE_CLOUD_PROJECT         = var.project_id
    OPENAI_ANSWER_TOKENS         = tostring(var.openai_answer_tokens)
    OPENAI_BASE_URL              = coalesce(var.openai_base_url, local.provider.model_url)
    OPENAI_MODEL                 = var.openai_model
    OPENAI_REASONING_EFFORT      = var.openai_reasoning_effort
    OPENAI_SERVER_REGION         = var.openai_server_region
    REQUIRE_CONSENT              = tostring(var.require_consent)
    SUMMARIZER                   = var.summarizer
    SUMMARIZE_URL                = local.addresses["summarize_visit"]
    SUMMARY_QUEUE                = google_cloud_tasks_queue.this["summaries"].id
    TASKS_SERVICE_ACCOUNT        = google_service_account.caller["tasks"].email
    TRANSCRIBER                  = var.transcriber
    TRANSCRIPTION_CONCURRENCY    = tostring(var.transcription_concurrency)
    TRANSCRIPTION_DOMAIN         = var.transcription_domain
    TRANSCRIPTION_KEY_TERMS      = join(",", var.transcription_key_terms)
    TRANSCRIPTION_LANGUAGES      = join(",", var.transcription_languages)
    TRANSCRIPTION_MODELS         = join(",", var.transcription_models)
    TRANSCRIPT_RETENTION_DAYS    = var.transcript_retention_days == null ? null : tostring(var.transcript_retention_days)
    WEBHOOK_ALLOWED_IPS          = join(",", local.provider.webhook_addresses)
    WEBHOOK_URL                  = local.addresses["on_transcription_webhook"]
    WEB_ORIGINS                  = join(",", var.browser_origins)
  }

  # AssemblyAI keeps a recording in the region of the called API, and sends webhooks from fixed addresses.
  # OpenAI processes a transcript in the region of the endpoint (guide "Data residency").
  provider = {
    us = {
      base_url          = "https://api.assemblyai.com"
      webhook_addresses = ["44.238.19.20"]
      model_url         = "https://api.openai.com/v1"
    }
    eu = {
      base_url          = "https://api.eu.assemblyai.com"
      webhook_addresses = ["54.220.25.36"]
      model_url         = "https://eu.api.openai.com/v1"
    }
  }[var.provider_region]

  # Omitted when null, so that the default of the code applies.
  left_out = compact([
    var.openai_reasoning_effort == null ? "OPENAI_REASONING_EFFORT" : "",
    var.openai_server_region == null ? "OPENAI_SERVER_REGION" : "",
    var.transcript_retention_days == null ? "TRANSCRIPT_RETENTION_DAYS" : "",
  ])

  environment = {
    for name in local.deployment.environment : name => local.values[name]
    if !contains(local.left_out, name)
  }
}

# `all_traffic_on_latest_revision = false` leaves a service's traffic unchanged, and by default that
# follows the latest revision (the provider's note on the argument; GoogleCloudPlatform/magic-modules#16981).
# So a canary deployment reads the traffic of the deployed services.
data "google_cloud_run_v2_service" "deployed" {
  for_each = {
    for name, service in local.services : name => service
    if !var.all_traffic_on_latest_revision && !contains(var.new_functions, name)
  }

  name     = each.value
  location = var.region
}

locals {
  # Without a setting, all traffic follows the latest revision.
  pinned = {
    for name, service in data.google_cloud_run_v2_service.deployed : name => (
      sum(concat([0], [
        for target in service.traffic : coalesce(target.percent, 0)
        if target.type == "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
      ])) == 100
    )
  }
}

resource "google_cloudfunctions2_function" "this" {
  #checkov:skip=CKV_GCP_124:the provider and the clients call two functions from outside
  for_each = local.functions

  name     = local.services[each.key]
  location = var.region

  build_config {
    runtime         = "python312"
    entry_point     = each.key
    service_account = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.function[each.key].email
    available_memory                 = each.value.memory
    available_cpu                    = each.value.cpu
    timeout_seconds                  = each.value.timeout_seconds
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = lookup(var.min_instances, each.key, 0)
    max_instance_count               = each.value.max_instances
    ingress_settings                 = each.value.public ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision   = var.all_traffic_on_latest_revision

    # Only functions with the model's key use a model; the others never summarize.
    environment_variables = merge(
      local.environment,
      contains(each.value.secrets, "OPENAI_API_KEY") ? {} : { SUMMARIZER = "rules" },
    )

    dynamic "secret_environment_variables" {
      for_each = local.function_secrets[each.key]

      content {
        key        = secret_environment_variables.value
        project_id = var.project_id
        secret     = google_secret_manager_secret.this[local.deployment.secrets[secret_environment_variables.value]].secret_id
        version    = var.secret_versions[secret_environment_variables.value]
      }
    }
  }

  dynamic "event_trigger" {
    for_each = each.value.trigger == "storage" ? [google_storage_bucket.recordings.name] : []

    content {
      event_type            = "google.cloud.storage.object.v1.finalized"
      trigger_region        = var.region
      retry_policy          = "RETRY_POLICY_RETRY" # otherwise one failed delivery loses the event
      service_account_email = google_service_account.caller["storage"].email

      event_filters {
        attribute = "bucket"
        value     = event_trigger.value
      }
    }
  }

  lifecycle {
    precondition {
      condition     = each.value.trigger != "storage" || each.value.timeout_seconds <= 540
      error_message = "A function that an event starts may run 540 s at most."
    }

    precondition {
      condition     = lookup(local.pinned, each.key, true)
      error_message = "The traffic of ${each.key} follows the latest revision, so this deployment would have all of it at once: scripts/release pin --yes, then apply again."
    }
  }

  depends_on = [
    time_sleep.grants,
    google_project_iam_member.builder,
    google_project_iam_member.builder_source,
    google_secret_manager_secret_iam_member.reader,
  ]
}
