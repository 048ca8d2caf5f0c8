"""Projects, activities, time, mileage and employees."""

from __future__ import annotations

from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.replication import ByTimestamp


class Projects(OpenApiStream):
    """Projects with prices and dates."""

    name, module, path = "projects", "projectsapi", "/Projects"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class ProjectGroups(OpenApiStream):
    """Project groups and the accounts they post to."""

    name, module, path = "project_groups", "projectsapi", "/ProjectGroups"
    primary_keys = ("agreementNumber", "number")


class ProjectStatuses(OpenApiStream):
    """Statuses a project can have."""

    name, module, path = "project_statuses", "projectsapi", "/ProjectStatuses"
    primary_keys = ("agreementNumber", "number")


class ProjectActivities(OpenApiStream):
    """Which activities a project uses, at which prices."""

    name, module, path = "project_activities", "projectsapi", "/project-activities"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class ProjectCustomers(OpenApiStream):
    """Customers as projects know them."""

    name, module, path = "project_customers", "projectsapi", "/project-customers"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"


class ProjectEmployees(OpenApiStream):
    """Employees as projects know them, with prices and cut-off dates."""

    name, module, path = "project_employees", "projectsapi", "/project-employees"
    primary_keys = ("agreementNumber", "number")


class ProjectEmployeeGroups(OpenApiStream):
    """Employee groups as projects know them: the rows of employee_groups."""

    name, module, path = "project_employee_groups", "projectsapi", "/project-employeegroups"
    primary_keys = ("agreementNumber", "number")


class Activities(OpenApiStream):
    """Activities that time is booked on."""

    name, module, path = "activities", "projectsapi", "/Activities"
    primary_keys = ("agreementNumber", "number")


class ActivityGroups(OpenApiStream):
    """Groups of activities."""

    name, module, path = "activity_groups", "projectsapi", "/ActivityGroups"
    primary_keys = ("agreementNumber", "number")


class CostTypes(OpenApiStream):
    """Cost types that entries on projects carry."""

    name, module, path = "cost_types", "projectsapi", "/CostTypes"
    primary_keys = ("agreementNumber", "number")
    replication = ByTimestamp("lastUpdated")


class CostTypeGroups(OpenApiStream):
    """Groups of cost types."""

    name, module, path = "cost_type_groups", "projectsapi", "/CostTypeGroups"
    primary_keys = ("agreementNumber", "number")


class OpenapiEmployees(OpenApiStream):
    """Employees as the newer API returns them."""

    name, module, path = "openapi_employees", "projectsapi", "/Employees"
    primary_keys = ("agreementNumber", "number")
    opt_in = True


class EmployeeGroups(OpenApiStream):
    """Employee groups."""

    name, module, path = "employee_groups", "projectsapi", "/EmployeeGroups"
    primary_keys = ("agreementNumber", "number")


class Mileages(OpenApiStream):
    """Mileage driven, per employee and project."""

    name, module, path = "mileages", "projectsapi", "/Mileages"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"


class MileagePrices(OpenApiStream):
    """Cost and sales price of each mileage."""

    name, module, path = "mileage_prices", "projectsapi", "/MileagePrices"
    counted = False
    primary_keys = ("agreementNumber", "number")


class TimeEntries(OpenApiStream):
    """Hours worked, per employee, project and activity."""

    name, module, path = "time_entries", "projectsapi", "/TimeEntries"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class TimeEntryPrices(OpenApiStream):
    """Cost and sales price of each time entry."""

    name, module, path = "time_entry_prices", "projectsapi", "/TimeEntryPrices"
    counted = False
    primary_keys = ("agreementNumber", "number")
