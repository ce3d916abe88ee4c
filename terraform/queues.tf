# The dispatch deadline is a property of a task, not of its queue: functions/lumimd/adapters/google/tasks.py
# sets it, and a test compares it with the function's timeout.
resource "google_cloud_tasks_queue" "this" {
  for_each = local.deployment.queues

  name     = each.key
  location = var.region

  rate_limits {
    max_dispatches_per_second = each.value.dispatches_per_second
    max_concurrent_dispatches = each.value.concurrent_dispatches
  }

  # A task may be given up: wake_due_visits finds the visit and creates another task.
  retry_config {
    max_attempts       = each.value.attempts
    max_retry_duration = "${each.value.retry_for_seconds}s"
    min_backoff        = "${each.value.first_backoff_seconds}s"
    max_backoff        = "${each.value.longest_backoff_seconds}s"
    max_doublings      = each.value.doublings
  }

  stackdriver_logging_config {
    sampling_ratio = 1.0
  }

  depends_on = [time_sleep.apis]
}

locals {
  task_roles = {
    for grant in flatten([
      for permission, role in {
        create_tasks = "roles/cloudtasks.enqueuer"
        delete_tasks = "roles/cloudtasks.taskDeleter" # for the tasks of a deleted visit
        } : [
        for pair in setproduct(keys(local.deployment.queues), local.allowed[permission]) :
        { permission = permission, role = role, queue = pair[0], function = pair[1] }
      ]
    ]) : "${grant.queue}/${grant.function}/${grant.permission}" => grant
  }
}

resource "google_cloud_tasks_queue_iam_member" "this" {
  for_each = local.task_roles

  location = var.region
  name     = google_cloud_tasks_queue.this[each.value.queue].name
  role     = each.value.role
  member   = google_service_account.function[each.value.function].member
}
