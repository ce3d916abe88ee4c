# Web origins, notifications and billing.
variable "browser_origins" {
  type        = set(string)
  description = "Web pages that may upload into the bucket and read from it, for example https://app.example.com."
  default     = []

  validation {
    condition     = alltrue([for origin in var.browser_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "Scheme and host, without a path and without a wildcard."
  }

  validation {
    condition     = var.environment == "dev" || alltrue([for origin in var.browser_origins : startswith(origin, "https://")])
    error_message = "Production's pages must use https."
  }
}

variable "sign_in_domains" {
  type        = list(string)
  description = "Domains whose pages may sign users in."
  default     = []
}

variable "notification_emails" {
  type        = set(string)
  description = "E-mail addresses to notify when an alert fires or the budget is exceeded."
  default     = []

  validation {
    condition     = alltrue([for address in var.notification_emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "E-mail addresses."
  }
}

variable "notification_channels" {
  type        = list(string)
  description = "Channels made in the console (Slack, PagerDuty): projects/…/notificationChannels/…."
  default     = []

  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", channel))])
    error_message = "Full names: projects/…/notificationChannels/…."
  }

  validation {
    condition     = var.environment == "dev" || length(var.notification_channels) + length(var.notification_emails) > 0
    error_message = "Production needs at least one address or channel to notify."
  }
}

variable "runbooks_url" {
  type        = string
  description = "The URL of the folder infra/runbooks in a browser; alerts link to it."

  validation {
    condition     = can(regex("^https://.+[^/]$", var.runbooks_url))
    error_message = "An https:// URL without a slash at its end."
  }
}

variable "billing_account" {
  type        = string
  description = "The billing account, XXXXXX-XXXXXX-XXXXXX, for the budget's alerts; null: no budget."
  default     = null

  validation {
    condition     = var.billing_account == null ? var.environment == "dev" : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "XXXXXX-XXXXXX-XXXXXX; only a dev environment may go without a budget."
  }
}

variable "budget" {
  type = object({
    monthly_amount = number
    currency       = optional(string, "USD")
  })
  description = "The monthly budget; notifications are sent at 80 % and at 100 %. No service is switched off."
  default     = { monthly_amount = 100 }

  validation {
    condition     = var.budget.monthly_amount >= 1 && floor(var.budget.monthly_amount) == var.budget.monthly_amount
    error_message = "A whole amount, at least 1."
  }
}

variable "open_to_all_users" {
  type        = bool
  description = "Whether allUsers may call the webhook and the API. false: an organization policy forbids it, and the check of callers is switched off at both services by hand (README.md)."
  default     = true
}
