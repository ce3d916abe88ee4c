output "api_url" {
  description = "Where clients reach the API."
  value       = local.addresses["api"]
}

output "client_configuration" {
  description = "What the Firebase SDK of a web, iOS or Android client is initialized with. None of it is secret."
  value = {
    projectId     = var.project_id
    appId         = google_firebase_web_app.this.app_id
    apiKey        = data.google_firebase_web_app_config.this.api_key
    authDomain    = data.google_firebase_web_app_config.this.auth_domain
    storageBucket = google_storage_bucket.recordings.name
  }
}

output "upload" {
  description = "Where a recording goes, by the Firebase Storage SDK as a resumable upload."
  value       = "gs://${google_storage_bucket.recordings.name}/visits/{uid}/{visitId}/audio.{extension}"
}

output "webhook_url" {
  description = "Where the transcription provider says that a job is done. It is given with each job: nothing to set up."
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
  description = "Which source is deployed."
  value       = filesha256(var.source_archive)
}

output "days_until_deleted_audio_is_gone" {
  description = "How long after its deletion a recording can still be restored by somebody with the right to."
  value       = var.soft_delete_days
}

output "days_until_deleted_visit_is_gone" {
  description = "How long after its deletion a visit is still in point-in-time recovery (7 days) or in a backup."
  value       = max(7, var.backup_retention_days)
}
