# Retention and protection of data.
variable "delete_protection" {
  type        = bool
  description = "Whether the database refuses to be deleted. Only a dev environment may go without, to be taken apart."
  default     = true

  validation {
    condition     = var.delete_protection || var.environment == "dev"
    error_message = "Production's database is protected from deletion."
  }
}

variable "backup_retention_days" {
  type        = number
  description = "How long a daily backup is kept. A deleted visit is gone from the last backup only then."
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 98
    error_message = "1 to 98 days (14 weeks)."
  }
}

variable "audio_retention_days" {
  type        = number
  description = "How long a recording is kept. The bucket's own rule comes a week later, as a backstop."
  default     = 30

  validation {
    condition     = var.audio_retention_days >= 1 && floor(var.audio_retention_days) == var.audio_retention_days
    error_message = "A whole number of days, at least 1."
  }
}

variable "transcript_retention_days" {
  type        = number
  description = "How long a transcript is kept; null: until the visit is deleted."
  default     = null

  validation {
    condition     = var.transcript_retention_days == null ? true : var.transcript_retention_days >= 1
    error_message = "At least 1 day, or null."
  }
}

variable "expire_unfinished_after_days" {
  type        = number
  description = "After how long a visit that never finished becomes `expired`."
  default     = 7

  validation {
    condition     = var.expire_unfinished_after_days >= 1
    error_message = "At least 1 day."
  }
}

variable "soft_delete_days" {
  type        = number
  description = "How long a deleted recording can be restored: 0, or 7 to 90. It counts as kept all that time."
  default     = 7

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "0, or 7 to 90 days."
  }
}

variable "audit_log_retention_days" {
  type        = number
  description = "Retention of the audit log. 2192 days are the six years of HIPAA (45 CFR 164.316)."
  default     = 400

  validation {
    condition     = var.audit_log_retention_days >= (var.environment == "prod" ? 2192 : 1) && var.audit_log_retention_days <= 3650
    error_message = "1 to 3650 days; production at least 2192, six years."
  }
}

variable "audit_log_locked" {
  type        = bool
  description = "Whether the retention of the audit log is locked, so that no account can shorten it. It cannot be unlocked, and the project cannot be deleted before the log has expired."
  default     = false
}

variable "require_consent" {
  type        = bool
  description = "Whether a visit waits until the patient's consent is recorded."
  default     = true

  validation {
    condition     = var.require_consent || var.environment == "dev"
    error_message = "Production asks for consent."
  }
}
