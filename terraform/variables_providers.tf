# The transcription provider and the model.
variable "secret_versions" {
  type        = map(string)
  description = "Environment variable -> pinned version of its secret. WEBHOOK_SECRET_PREVIOUS names the version before, while the webhook's secret is being changed."

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : can(regex("^[1-9][0-9]*$", version))])
    error_message = "A version is a number: with `latest`, instances of one release would run with different secrets, and a rollback would not roll back."
  }

  validation {
    condition     = length(setsubtract(keys(var.secret_versions), keys(local.deployment.secrets))) == 0
    error_message = "Only the secrets of infra/deployment.json."
  }

  validation {
    condition = length(setsubtract(
      concat(["ASSEMBLYAI_API_KEY", "WEBHOOK_SECRET"], var.summarizer == "openai" ? ["OPENAI_API_KEY"] : []),
      keys(var.secret_versions),
    )) == 0
    error_message = "ASSEMBLYAI_API_KEY and WEBHOOK_SECRET are needed, and OPENAI_API_KEY unless summarizer is rules."
  }
}

variable "provider_region" {
  type        = string
  description = "The region in which the transcription provider processes recordings: us or eu."
  default     = "us"

  validation {
    condition     = contains(["us", "eu"], var.provider_region)
    error_message = "One of: us, eu."
  }

  validation {
    condition     = (var.provider_region == "eu") == startswith(var.region, "europe-")
    error_message = "Recordings stay on one side of the Atlantic: an EU region goes with the provider's EU region, and no other does."
  }
}

variable "transcriber" {
  type        = string
  description = "The vendor of transcripts: a package of functions/lumimd/adapters (docs/adding-a-provider.md)."
  default     = "assemblyai"
}

variable "transcription_concurrency" {
  type        = number
  description = "How many jobs may be in flight at the transcription provider (AssemblyAI: 5 free, 200 and more paid)."
  default     = 200

  validation {
    condition     = var.transcription_concurrency >= 1
    error_message = "At least 1."
  }
}

variable "transcription_models" {
  type        = list(string)
  description = "The transcription provider's models in order of priority. Its default changes over time."
  default     = ["universal-3-5-pro", "universal-2"]

  validation {
    condition     = length(var.transcription_models) >= 1
    error_message = "At least one."
  }
}

variable "transcription_domain" {
  type        = string
  description = "medical-v1: the provider's model for medical speech, which costs more. Empty: none."
  default     = ""

  validation {
    condition     = contains(["", "medical-v1"], var.transcription_domain)
    error_message = "medical-v1, or empty."
  }
}

variable "transcription_languages" {
  type        = list(string)
  description = "The languages that a recording may be in, such as en; empty: any that the provider knows."
  default     = []
}

variable "transcription_key_terms" {
  type        = list(string)
  description = "Terms that are often transcribed wrongly. They cost more."
  default     = []

  validation {
    condition     = length(var.transcription_key_terms) <= 1000
    error_message = "The provider takes 1,000 at most."
  }
}

variable "default_tier" {
  type        = string
  description = "The tier of users without a stored tier: free (20 recordings a day) or paid (2,000)."
  default     = "free"

  validation {
    condition     = contains(["free", "paid"], var.default_tier)
    error_message = "One of: free, paid."
  }
}

variable "summarizer" {
  type        = string
  description = "openai: a language model. rules: no model, and much shorter summaries."
  default     = "openai"

  validation {
    condition     = contains(["openai", "rules"], var.summarizer)
    error_message = "One of: openai, rules."
  }
}

variable "openai_model" {
  type        = string
  description = "The model that summarizes. Models are retired on announced dates: docs/decisions/0018."
  default     = "gpt-6-luna"
}

variable "openai_answer_tokens" {
  type        = number
  description = "The most tokens of an answer, with reasoning tokens; a truncated answer is requested again with twice as many."
  default     = 16000

  validation {
    condition     = var.openai_answer_tokens >= 1000 && var.openai_answer_tokens <= 64000
    error_message = "From 1000 to 64000."
  }
}

variable "openai_reasoning_effort" {
  type        = string
  description = "The reasoning effort of the model; null: its own default."
  default     = null

  validation {
    condition = var.openai_reasoning_effort == null ? true : contains(
      ["none", "minimal", "low", "medium", "high", "xhigh", "max"], var.openai_reasoning_effort
    )
    error_message = "One of: none, minimal, low, medium, high, xhigh, max; or null."
  }
}

variable "openai_base_url" {
  type        = string
  description = "Another server with OpenAI's API; null: OpenAI's endpoint of provider_region."
  default     = null

  validation {
    condition     = var.openai_base_url == null ? true : startswith(var.openai_base_url, "https://")
    error_message = "An https:// URL, or null."
  }

  # functions/lumimd/policies/residency.py checks the same when a function starts.
  validation {
    condition = var.openai_base_url == null ? true : (
      can(regex("^https://([^/?#@]+[.])?openai[.]com[.]?(:[0-9]+)?([/?#]|$)", lower(var.openai_base_url)))
      ? can(regex("^https://eu[.]api[.]openai[.]com[.]?(:[0-9]+)?([/?#]|$)", lower(var.openai_base_url))) == (var.provider_region == "eu")
      : coalesce(var.openai_server_region, "us") == var.provider_region
    )
    error_message = "Transcripts stay on one side of the Atlantic: with provider_region eu the European endpoint https://eu.api.openai.com/v1, or a server of your own with openai_server_region = \"eu\"; elsewhere neither."
  }
}

variable "openai_server_region" {
  type        = string
  description = "The region of the server of openai_base_url, if it is not OpenAI's: us or eu. null: not in Europe."
  default     = null

  validation {
    condition     = var.openai_server_region == null ? true : contains(["us", "eu"], var.openai_server_region)
    error_message = "One of: us, eu; or null."
  }
}
