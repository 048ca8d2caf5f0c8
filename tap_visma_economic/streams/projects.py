"""Projects, activities, time, mileage and employees."""

from __future__ import annotations

from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.replication import ByTimestamp


class Projects(OpenApiStream):
    """Projects with prices and dates."""

    name = "projects"
    module = "projectsapi"
    path = "/Projects"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class ProjectGroups(OpenApiStream):
    """Project groups and the accounts they post to."""

    name = "project_groups"
    module = "projectsapi"
    path = "/ProjectGroups"
    primary_keys = ("agreementNumber", "number")


class ProjectStatuses(OpenApiStream):
    """Statuses a project can have."""

    name = "project_statuses"
    module = "projectsapi"
    path = "/ProjectStatuses"
    primary_keys = ("agreementNumber", "number")


class ProjectActivities(OpenApiStream):
    """Which activities a project uses, at which prices."""

    name = "project_activities"
    module = "projectsapi"
    path = "/project-activities"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class ProjectCustomers(OpenApiStream):
    """Customers as projects know them."""

    name = "project_customers"
    module = "projectsapi"
    path = "/project-customers"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"


class ProjectEmployees(OpenApiStream):
    """Employees as projects know them, with prices and cut-off dates."""

    name = "project_employees"
    module = "projectsapi"
    path = "/project-employees"
    primary_keys = ("agreementNumber", "number")


class ProjectEmployeeGroups(OpenApiStream):
    """Employee groups as projects know them: the rows of employee_groups."""

    name = "project_employee_groups"
    module = "projectsapi"
    path = "/project-employeegroups"
    primary_keys = ("agreementNumber", "number")


class Activities(OpenApiStream):
    """Activities that time is booked on."""

    name = "activities"
    module = "projectsapi"
    path = "/Activities"
    primary_keys = ("agreementNumber", "number")


class ActivityGroups(OpenApiStream):
    """Groups of activities."""

    name = "activity_groups"
    module = "projectsapi"
    path = "/ActivityGroups"
    primary_keys = ("agreementNumber", "number")


class CostTypes(OpenApiStream):
    """Cost types that entries on projects carry."""

    name = "cost_types"
    module = "projectsapi"
    path = "/CostTypes"
    primary_keys = ("agreementNumber", "number")
    replication = ByTimestamp("lastUpdated")


class CostTypeGroups(OpenApiStream):
    """Groups of cost types."""

    name = "cost_type_groups"
    module = "projectsapi"
    path = "/CostTypeGroups"
    primary_keys = ("agreementNumber", "number")


class OpenapiEmployees(OpenApiStream):
    """Employees as the newer API returns them."""

    name = "openapi_employees"
    module = "projectsapi"
    path = "/Employees"
    primary_keys = ("agreementNumber", "number")
    opt_in = True


class EmployeeGroups(OpenApiStream):
    """Employee groups."""

    name = "employee_groups"
    module = "projectsapi"
    path = "/EmployeeGroups"
    primary_keys = ("agreementNumber", "number")


class Mileages(OpenApiStream):
    """Mileage driven, per employee and project."""

    name = "mileages"
    module = "projectsapi"
    path = "/Mileages"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"


class MileagePrices(OpenApiStream):
    """Cost and sales price of each mileage."""

    name = "mileage_prices"
    module = "projectsapi"
    path = "/MileagePrices"
    counted = False
    primary_keys = ("agreementNumber", "number")


class TimeEntries(OpenApiStream):
    """Hours worked, per employee, project and activity."""

    name = "time_entries"
    module = "projectsapi"
    path = "/TimeEntries"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class TimeEntryPrices(OpenApiStream):
    """Cost and sales price of each time entry."""

    name = "time_entry_prices"
    module = "projectsapi"
    path = "/TimeEntryPrices"
    counted = False
    primary_keys = ("agreementNumber", "number")
