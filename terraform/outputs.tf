output "api_url" {
  description = "The URL of the API for clients."
  value       = local.addresses["api"]
}

output "client_configuration" {
  description = "The configuration of the Firebase SDK of a web, iOS or Android client. None of it is secret."
  value = {
    projectId     = var.project_id
    appId         = google_firebase_web_app.this.app_id
    apiKey        = data.google_firebase_web_app_config.this.api_key
    authDomain    = data.google_firebase_web_app_config.this.auth_domain
    storageBucket = google_storage_bucket.recordings.name
  }
}

output "upload" {
  description = "The upload path of a recording, for a resumable upload with the Firebase Storage SDK."
  value       = "gs://${google_storage_bucket.recordings.name}/visits/{uid}/{visitId}/audio.{extension}"
}

output "webhook_url" {
  description = "The URL of the transcription provider's webhook. Each order contains it: nothing to set up."
  value       = local.addresses["on_transcription_webhook"]
}

output "functions" {
  description = "Entry point -> its service on Cloud Run, its account and its address."
  value = {
    for name, function in google_cloudfunctions2_function.this : name => {
      service = function.name
      account = google_service_account.function[name].email
      uri     = function.service_config[0].uri
    }
  }
}

output "queues" {
  description = "The queues' full names."
  value       = { for name, queue in google_cloud_tasks_queue.this : name => queue.id }
}

output "secrets" {
  description = "The containers that need a version before the first deployment."
  value       = sort([for secret in google_secret_manager_secret.this : secret.secret_id])
}

output "source_archive_sha256" {
  description = "The deployed source."
  value       = filesha256(var.source_archive)
}

output "days_until_deleted_audio_is_gone" {
  description = "The time after its deletion in which an authorized account can restore a recording."
  value       = var.soft_delete_days
}

output "days_until_deleted_visit_is_gone" {
  description = "The time after its deletion in which a visit is in point-in-time recovery (7 days) or a backup."
  value       = max(7, var.backup_retention_days)
}
