# How the pipeline runs: time limits, retries, sizes, and who is told.
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
  environment         = "dev"
  region              = "us-central1"
  firestore_location  = "us-central1"
  source_archive      = "versions.tf"
  runbooks_url        = "https://example.com/runbooks"
  secret_versions     = { ASSEMBLYAI_API_KEY = "3", OPENAI_API_KEY = "4", WEBHOOK_SECRET = "5" }
  notification_emails = ["oncall@example.com"]
}

run "an_event_comes_again_and_time_and_size_are_bounded" {
  command = plan

  assert {
    condition = (
      one(google_cloudfunctions2_function.this["on_audio_finalized"].event_trigger).retry_policy == "RETRY_POLICY_RETRY" &&
      one(google_cloudfunctions2_function.this["on_audio_finalized"].event_trigger).event_type == "google.cloud.storage.object.v1.finalized"
    )
    error_message = "Eventarc must deliver again."
  }

  assert {
    condition = alltrue([
      for name, f in google_cloudfunctions2_function.this : length(f.event_trigger) == (name == "on_audio_finalized" ? 1 : 0)
    ])
    error_message = "Only finished uploads are events."
  }

  assert {
    condition     = google_cloudfunctions2_function.this["on_audio_finalized"].service_config[0].timeout_seconds <= 540
    error_message = "A function that an event starts is stopped after 540 s."
  }

  assert {
    condition = alltrue([
      for f in google_cloudfunctions2_function.this :
      f.service_config[0].timeout_seconds > 0 && f.service_config[0].timeout_seconds <= 3600
    ])
    error_message = "A function without a time limit of its own."
  }

  assert {
    condition = alltrue([
      for f in google_cloudfunctions2_function.this : (
        f.service_config[0].available_memory != null && f.service_config[0].available_cpu != null &&
        f.service_config[0].max_instance_count >= 1 && f.service_config[0].max_instance_count <= 100 &&
        f.service_config[0].max_instance_request_concurrency >= 1 && f.service_config[0].min_instance_count == 0
      )
    ])
    error_message = "Memory, CPU, concurrency and instances are chosen, and nothing idles in dev."
  }
}

run "warm_instances_are_a_choice" {
  command = plan

  variables {
    min_instances = { api = 2 }
  }

  assert {
    condition = (
      google_cloudfunctions2_function.this["api"].service_config[0].min_instance_count == 2 &&
      google_cloudfunctions2_function.this["wake_due_visits"].service_config[0].min_instance_count == 0
    )
    error_message = "Only the named function is kept warm."
  }
}

run "tasks_are_tried_again_at_a_bounded_rate_and_due_visits_woken" {
  command = plan

  assert {
    condition = alltrue([
      for queue in google_cloud_tasks_queue.this : (
        queue.retry_config[0].max_attempts > 1 && queue.rate_limits[0].max_dispatches_per_second <= 500 &&
        queue.rate_limits[0].max_concurrent_dispatches > 0
      )
    ])
    error_message = "Every queue retries, and every queue has a limit."
  }

  # More at once than instances could hold would be turned away and come back later for nothing.
  assert {
    condition = alltrue([
      for name, queue in google_cloud_tasks_queue.this : queue.rate_limits[0].max_concurrent_dispatches <= (
        local.functions[local.deployment.queues[name].function].max_instances *
        local.functions[local.deployment.queues[name].function].concurrency
      )
    ])
    error_message = "A queue sends more at once than its function can take."
  }

  assert {
    condition     = google_cloud_scheduler_job.this["wake-due-visits"].schedule == "* * * * *"
    error_message = "The poller is the recovery: every minute."
  }

  assert {
    condition = alltrue([
      for name, job in google_cloud_scheduler_job.this :
      job.attempt_deadline == "${local.functions[local.deployment.schedules[name].function].timeout_seconds}s"
    ])
    error_message = "The scheduler waits as long as the function may take."
  }
}

run "agents_are_waited_for_alerts_reach_somebody_and_the_api_is_watched" {
  command = plan

  assert {
    condition     = google_project_iam_member.agent["storage"].role == "roles/pubsub.publisher" && google_project_iam_member.agent["eventarc"].role == "roles/eventarc.serviceAgent"
    error_message = "Without these two grants no event arrives."
  }

  assert {
    condition     = time_sleep.grants.create_duration == "120s"
    error_message = "A grant works only after a while."
  }

  assert {
    condition     = time_sleep.metrics.create_duration == "600s"
    error_message = "Monitoring may need ten minutes to learn of a metric; an alert on it is refused until then."
  }

  assert {
    condition = (
      toset(keys(time_sleep.metrics.triggers)) == toset(["log_metrics", "queues", "uptime"]) &&
      alltrue([for name, metric in local.log_metrics : strcontains(metric.name, "lumimd/")])
    )
    error_message = "A metric that is added later is waited for as well."
  }

  assert {
    condition     = toset(keys(local.values)) == toset(local.deployment.environment)
    error_message = "functions.tf and infra/deployment.json name different variables."
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.this : length(policy.notification_channels) == 1
    ])
    error_message = "An alert that nobody hears."
  }

  assert {
    condition     = length(google_monitoring_alert_policy.this) == length(fileset("../infra/monitoring/alerts", "*.json"))
    error_message = "An alert of infra/monitoring/alerts is missing."
  }

  assert {
    condition = alltrue([
      for name, policy in google_monitoring_alert_policy.this :
      one(policy.documentation[0].links).url == "https://example.com/runbooks/${local.alerts[name].userLabels.runbook}.md"
    ])
    error_message = "An alert without the address of its runbook."
  }

  assert {
    condition = (
      google_monitoring_uptime_check_config.api.http_check[0].use_ssl &&
      google_monitoring_uptime_check_config.api.monitored_resource[0].labels.host == "api-123456789012.us-central1.run.app"
    )
    error_message = "The uptime check asks the API's own address, by TLS."
  }
}

run "people_are_told_at_80_and_at_100_percent_of_the_budget" {
  command = plan

  variables {
    billing_account = "000000-000000-000000"
  }

  assert {
    condition = toset([
      for rule in google_billing_budget.this[0].threshold_rules : rule.threshold_percent if rule.spend_basis == "CURRENT_SPEND"
    ]) == toset([0.8, 1])
    error_message = "80 % and 100 %."
  }
}

run "a_canary_is_deployed_over_pinned_traffic_and_with_functions_that_are_new" {
  command = plan

  variables {
    all_traffic_on_latest_revision = false
    new_functions                  = ["api"]
  }

  override_data {
    target = data.google_cloud_run_v2_service.deployed
    values = {
      traffic = [
        { type = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", percent = 100, revision = "x-1", tag = "" },
        { type = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", percent = null, revision = "x-1", tag = "last-good" },
      ]
    }
  }

  assert {
    condition     = !contains(keys(data.google_cloud_run_v2_service.deployed), "api")
    error_message = "A new function has no traffic to look at."
  }

  assert {
    condition = alltrue([
      for f in google_cloudfunctions2_function.this : !f.service_config[0].all_traffic_on_latest_revision
    ])
    error_message = "The new revisions take no traffic."
  }
}
