module example.com/weather/collector

go 1.25
