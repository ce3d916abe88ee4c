# For trying things out: small, and easy to take apart.
project_id         = "lumimd-dev"
environment        = "dev"
region             = "us-central1"
firestore_location = "us-central1"

delete_protection     = false
backup_retention_days = 7
soft_delete_days      = 0

secret_versions = {
  ASSEMBLYAI_API_KEY = "1"
  OPENAI_API_KEY     = "1"
  WEBHOOK_SECRET     = "1"
}
transcription_concurrency = 5 # the free plan's limit

browser_origins = ["http://localhost:5173"]
sign_in_domains = ["localhost"]
runbooks_url    = "https://github.com/example/lumimd-pipeline/blob/main/infra/runbooks"
