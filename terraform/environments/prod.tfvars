# For patients. Names, addresses and the billing account are examples: put your own.
project_id         = "lumimd-prod"
environment        = "prod"
region             = "us-central1"
firestore_location = "nam5" # several regions; a European one: eur3, with region europe-west3 and provider_region eu
provider_region    = "us"

backup_retention_days    = 14
soft_delete_days         = 7
audio_retention_days     = 30
audit_log_retention_days = 2192 # six years

secret_versions = {
  ASSEMBLYAI_API_KEY = "1"
  OPENAI_API_KEY     = "1"
  WEBHOOK_SECRET     = "1"
}
transcription_concurrency = 200

# The provider waits 10 s for the webhook, and people wait for the API.
min_instances = {
  on_transcription_webhook = 1
  api                      = 1
}

browser_origins = ["https://app.example.com"]
sign_in_domains = ["app.example.com"]

notification_emails = ["oncall@example.com"]
runbooks_url        = "https://github.com/example/lumimd-pipeline/blob/main/infra/runbooks"
billing_account     = "000000-000000-000000"
budget              = { monthly_amount = 500 }
